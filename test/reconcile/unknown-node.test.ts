import { expect, test } from "vitest";
import type { ErrorCode } from "../../src/model/errors.ts";
import type { NodeName } from "../../src/model/names.ts";
import { unknownNode } from "../../src/reconcile/unknown-node.ts";

const silent = (code?: ErrorCode) =>
  unknownNode({ name: "n1" as NodeName, reach: "silent", error: "why", ...(code === undefined ? {} : { code }) });

test("a node that could not be seen says what to do about it, as far as that is known", () => {
  expect(silent("AGENT_UNREACHABLE").hint).toContain("odorobo agent --name n1");
  expect(silent("UNAUTHORIZED").hint).toContain("--token-file");
  expect(silent("AGENT_WRONG_NODE").hint).toContain("--name");
  expect(silent("AGENT_TIMEOUT").hint).toContain("--timeout");
  expect(silent("INTERNAL")).toEqual({ kind: "Node", name: "n1", node: "n1", because: "why" });
  expect(silent()).toEqual({ kind: "Node", name: "n1", node: "n1", because: "why" });
});
