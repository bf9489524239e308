import { expect, test } from "vitest";
import type { ErrorCode } from "../../src/model/errors.ts";
import type { NodeName } from "../../src/model/names.ts";
import { unknownNode } from "../../src/reconcile/unknown-node.ts";

const silent = (code?: ErrorCode) =>
  unknownNode({ name: "n1" as NodeName, reach: "silent", error: "why", ...(code === undefined ? {} : { code }) });

test("who gave an agent long is told to give it longer", () => {
  const hint = (error: string) =>
    unknownNode({ name: "n1" as NodeName, reach: "silent", error, code: "AGENT_TIMEOUT" }).hint;
  expect(hint("no answer within 5 s")).toContain("--timeout 30s");
  expect(hint("no answer within 60 s")).toContain("--timeout 360s");
  expect(hint("no answer within 0.2 s")).toContain("--timeout 30s");
});

test("a node that could not be seen says what to do about it, as far as that is known", () => {
  expect(silent("AGENT_UNREACHABLE").hint).toContain("odorobo agent --name n1");
  expect(silent("UNAUTHORIZED").hint).toContain("--token-file");
  expect(silent("AGENT_WRONG_NODE").hint).toContain("--name");
  expect(silent("AGENT_TIMEOUT").hint).toContain("--timeout");
  expect(silent("INTERNAL")).toEqual({ kind: "Node", name: "n1", node: "n1", because: "why" });
  expect(silent()).toEqual({ kind: "Node", name: "n1", node: "n1", because: "why" });
});
