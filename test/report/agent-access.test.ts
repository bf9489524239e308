/** Who may call an agent, as a list. */
import { expect, test } from "vitest";
import { type AgentAccess, renderCallers } from "../../src/report/agent-access.ts";

test("who, as what, by what, and the beginning of its hash", () => {
  const access = (callers: AgentAccess["callers"]) => ({ callers }) as AgentAccess;
  const lines = renderCallers(
    access([
      { name: "ci", role: "apply", credential: "token", digest: "0123456789ab" },
      { name: "grafana", role: "observe", credential: "certificate", digest: "ba9876543210" },
    ]),
    { colour: false },
  ).split("\n");
  expect(lines.map((line) => line.trim().split(/ {2,}/))).toEqual([
    ["CALLER", "ROLE", "BY", "SHA256"],
    ["ci", "apply", "token", "0123456789ab…"],
    ["grafana", "observe", "certificate", "ba9876543210…"],
  ]);
  expect(renderCallers(access([]), { colour: false })).toBe("Nobody is listed.");
});
