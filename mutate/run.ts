/**
 * `npm run mutate`: how well the tests of the pure rooms see. Sources are changed in one place at a time, as Stryker knows to, and the tests
 * that go there are run: a change that none of them sees is a hole, or no change of behaviour.
 *
 *   npm run mutate                                  at least 300 mutants in all four rooms
 *   npm run mutate -- --room reconcile --count 100  in one of them
 *   npm run mutate -- --seed 7 --json               other places, and a document
 *   npm run mutate -- --file src/reconcile/diff.ts  one file, for who writes its tests
 *   npm run mutate -- --list                        which lines a seed means, and nothing else
 *
 * It takes minutes, needs a network for Stryker's packages, and is no part of CI. See docs/testing.md.
 */
import { globSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { choosePlaces } from "./choose-places.ts";
import { findingsOf, renderFindings } from "./findings.ts";
import { copyTree, installStryker } from "./scratch-tree.ts";
import { findUnfit, listCandidates, runStryker } from "./stryker.ts";

/** The core: no clock, no files. `agent` and the rest are judged by faults instead. */
const ROOMS = ["model", "manifest", "reconcile", "placement", "schedule", "plan", "run", "report"] as const;

/** Generated from schemas: what is wrong there is wrong in a schema. */
const GENERATED = ["src/manifest/text/document-schemas.ts", "src/model/documents.ts"];

const root = join(import.meta.dirname, "..");

const { values } = parseArgs({
  options: {
    seed: { type: "string", default: "1" },
    count: { type: "string", default: "300" },
    room: { type: "string", multiple: true, default: [...ROOMS] },
    file: { type: "string", multiple: true, default: [] },
    json: { type: "boolean", default: false },
    list: { type: "boolean", default: false },
  },
});

const seed = whole("seed", values.seed);
const count = whole("count", values.count);
const unknown = values.room.find((each) => !(ROOMS as readonly string[]).includes(each));
if (unknown !== undefined) stop(`--room is one of ${ROOMS.join(", ")}, not ${unknown}`);

const over = new AbortController();
for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => over.abort());

const tree = mkdtempSync(join(tmpdir(), "odorobo-mutate-"));
try {
  copyTree(root, tree);
  installStryker(tree);
  const patterns = values.file.length > 0 ? values.file : values.room.map((room) => `src/${room}/**/*.ts`);
  const files = globSync(patterns, { cwd: tree }).filter((file) => !GENERATED.includes(file));
  const places = choosePlaces(await listCandidates(tree, files.sort()), { seed, count });
  if (values.list) console.log(places.join("\n"));
  else {
    const unfit = findUnfit(tree);
    if (unfit.length > 0) console.error(`left out, as they fail with few draws: ${unfit.join(", ")}`);
    const findings = findingsOf(await runStryker(tree, places, unfit, over.signal), seed);
    process.stdout.write(values.json ? `${JSON.stringify(findings, null, 2)}\n` : renderFindings(findings));
  }
} finally {
  rmSync(tree, { recursive: true, force: true });
}

function whole(name: string, text: string): number {
  const number = Number(text);
  if (!Number.isInteger(number) || number < 0) stop(`--${name} is a whole number, not ${text}`);
  return number;
}

function stop(why: string): never {
  console.error(why);
  process.exit(2);
}
