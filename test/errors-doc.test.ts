/** The closed set of error codes, its page and its uses stay in step. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { ERROR_CODES, type ErrorCode } from "../src/model/errors.ts";

const ROOT = join(import.meta.dirname, "..");
const rows = readFileSync(join(ROOT, "docs/errors.md"), "utf8")
  .split("\n")
  .map((line) => line.split("|").map((cell) => cell.trim()))
  .filter((cells) => /^[A-Z_]+$/.test(cells[1] ?? ""))
  .map(([, code = "", exit, status, when = ""]) => ({ code, exit: Number(exit), status: Number(status), when }));

test("every code has its row, in the order of the table, with its exit code and status", () => {
  const facts = Object.entries(ERROR_CODES).map(([code, { exit, status }]) => ({ code, exit, status }));
  expect(rows.map(({ when: _, ...row }) => row)).toEqual(facts);
});

test("what is retried is said, and nothing else", () => {
  const said = rows.filter((row) => row.when.includes("Retried")).map((row) => row.code);
  const retryable = Object.keys(ERROR_CODES).filter((code) => ERROR_CODES[code as ErrorCode].retryable);
  expect(said).toEqual(retryable);
});

test("every code is used somewhere", () => {
  const files = readdirSync(join(ROOT, "src"), { recursive: true, encoding: "utf8" }).filter(
    (file) => file.endsWith(".ts") && file !== "model/errors.ts",
  );
  const text = files.map((file) => readFileSync(join(ROOT, "src", file), "utf8")).join("\n");
  expect(Object.keys(ERROR_CODES).filter((code) => !text.includes(`"${code}"`))).toEqual([]);
});
