/** What to type on the other side, so that a guest comes. */
import { expect, test } from "vitest";
import { reachableUrl, renderListening } from "../../src/report/migration-text.ts";
import { aVmReport } from "../support/wire-builders.ts";

test.each([
  ["tcp:0.0.0.0:49152", "http://n2.example:8890", "tcp:n2.example:49152"],
  ["tcp:[::]:49152", "https://[fd00::2]:8890", "tcp:[fd00::2]:49152"],
  ["tcp:0.0.0.0:49152", "https://n2", "tcp:n2:49152"],
  ["tcp:0.0.0.0:49152", "unix:/run/agent.sock", "tcp:ITS-ADDRESS:49152"],
  ["tcp:10.0.0.2:49152", "http://n2:8890", "tcp:10.0.0.2:49152"],
  ["unix:/run/tcp:0.0.0.0:1", "http://n2:8890", "unix:/run/tcp:0.0.0.0:1"],
  ["tcp:0.0.0.0:49152/x", "http://n2:8890", "tcp:0.0.0.0:49152/x"],
])("%s of the node at %s is sent to %s", (url, address, reachable) => {
  expect(reachableUrl(url, address)).toBe(reachable);
});

test("a node that waits says where, as well as it knows", () => {
  type Action = Parameters<typeof renderListening>[0];
  const migration = { role: "destination", since: "2026-01-01T12:00:00.000Z", url: "tcp:10.0.0.2:2" };
  const said = (detail: object | undefined, over: object = {}) =>
    renderListening(
      {
        before: aVmReport("web-1", over),
        node: "n2",
        address: "http://n2:8890",
        result: { ...(detail && { detail }) },
      } as unknown as Action,
      { colour: false },
    );
  expect(said({ url: "tcp:0.0.0.0:1" })).toBe(
    "web-1 on n2: waits for its guest at tcp:0.0.0.0:1\nTo send it: odorobo vm migrate-send web-1 tcp:n2:1 --node THE-NODE-THAT-HAS-IT",
  );
  expect(said({ url: "tcp:0.0.0.0:1" }, { migration })).toContain("at tcp:0.0.0.0:1\n");
  expect(said(undefined, { migration })).toContain("at tcp:10.0.0.2:2\n");
  expect(said({})).toContain("at an address that it does not tell\n");
});
