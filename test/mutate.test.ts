/** The parts of `npm run mutate` that decide: which places a seed means, and what is said of Stryker's report. */
import { expect, test } from "vitest";
import { type Candidate, choosePlaces } from "../mutate/choose-places.ts";
import { findingsOf, type MutationReport, renderFindings } from "../mutate/findings.ts";

const candidate = (fileName: string, line: number, endLine = line): Candidate => ({
  fileName,
  location: { start: { line, column: 0 }, end: { line: endLine, column: 9 } },
  mutatorName: "BooleanLiteral",
});

/** Ten files, 20 lines with two mutants each. */
const MANY = Array.from({ length: 400 }, (_, index) => candidate(`src/f${index % 10}.ts`, Math.floor(index / 20)));

test("the same seed means the same places, in whatever order the sources were read; another means others", () => {
  const places = choosePlaces(MANY, { seed: 7, count: 60 });
  expect(choosePlaces([...MANY].reverse(), { seed: 7, count: 60 })).toEqual(places);
  expect(choosePlaces(MANY, { seed: 8, count: 60 })).not.toEqual(places);
});

test("lines are taken until they hold as many mutants as are wanted, and all there are where there are fewer", () => {
  expect(choosePlaces(MANY, { seed: 1, count: 60 })).toHaveLength(30);
  expect(choosePlaces(MANY, { seed: 1, count: 59 })).toHaveLength(30);
  expect(choosePlaces(MANY, { seed: 1, count: 0 })).toEqual([]);
  expect(new Set(choosePlaces(MANY, { seed: 1, count: 10_000 })).size).toBe(200);
});

test("a mutant of several lines is none of a line", () => {
  const few = [candidate("src/a.ts", 3), candidate("src/a.ts", 3, 9), candidate("src/a.ts", 5, 6)];
  expect(choosePlaces(few, { seed: 1, count: 9 })).toEqual(["src/a.ts:4-4"]);
});

const mutant = (
  status: string,
  [line, column]: [number, number],
  [endLine, end]: [number, number],
  replacement = "x",
) => ({
  mutatorName: "BooleanLiteral",
  replacement,
  location: { start: { line, column }, end: { line: endLine, column: end } },
  status,
});

const REPORT: MutationReport = {
  files: {
    "src/report/b.ts": {
      source: "first\nsecond {\n  third\n}\n",
      mutants: [mutant("Survived", [2, 8], [4, 2], "{}"), mutant("NoCoverage", [1, 2], [1, 4])],
    },
    "src/model/deep/a.ts": {
      source: "one",
      mutants: [mutant("Killed", [1, 1], [1, 2]), mutant("Timeout", [1, 1], [1, 2]), mutant("Ignored", [1, 1], [1, 2])],
    },
  },
};

test("what ended without a failure survived; what did not end was seen", () => {
  expect(findingsOf(REPORT, 4)).toEqual({
    seed: 4,
    rooms: {
      model: { mutants: 2, killed: 2, survived: 0, notReached: 0 },
      report: { mutants: 2, killed: 0, survived: 2, notReached: 1 },
    },
    notTried: 1,
    survivors: [
      { file: "src/report/b.ts", line: 2, column: 8, original: "{ third }", mutant: "{}", reached: true },
      { file: "src/report/b.ts", line: 1, column: 2, original: "ir", mutant: "x", reached: false },
    ],
  });
});

test("for people: each survivor by its place, then the rooms", () => {
  expect(renderFindings(findingsOf(REPORT, 4))).toBe(`src/report/b.ts:2:8  { third }  →  {}
src/report/b.ts:1:2  ir  →  x  (no test reaches it)

model: 2 of 2 killed (100 %), 0 survived
report: 0 of 2 killed (0 %), 2 survived, 1 of them where no test goes
1 not tried: values made while a module loads
seed 4
`);
});

test("without survivors there is nothing above the rooms", () => {
  expect(renderFindings({ seed: 1, rooms: {}, notTried: 0, survivors: [] })).toBe("seed 1\n");
});
