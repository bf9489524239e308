/** How every command says no: one line with the code and what is wrong, what to do next, and nothing else. */
import { expect } from "vitest";
import type { Outcome } from "./run-odorobo.ts";

export interface Refusal {
  readonly exit: number;
  readonly code: string;
  /** In the message or what caused it: the thing by its name. */
  readonly names: string | RegExp;
  readonly hint: string | RegExp;
}

export function expectRefusal({ code, stdout, stderr }: Outcome, refusal: Refusal): void {
  const all = `${stdout}\n${stderr}`;
  expect(code, all).toBe(refusal.exit);
  expect(stderr, all).toMatch(new RegExp(`^error {2}${refusal.code} {2}\\S`, "m"));
  expect(stderr).toMatch(refusal.names);
  expect(stderr).toMatch(/\n *hint: \S/);
  expect(stderr.slice(stderr.lastIndexOf("hint: "))).toMatch(refusal.hint);
}
