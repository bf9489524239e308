/** `odorobo gateway status`: what is wrong is told once, with its places, and what is to be typed finds the gateway. */
import { expect, test } from "vitest";
import { instant } from "../../src/model/names.ts";
import type { GatewayFleetSummary } from "../../src/report/gateway/gateway-documents.ts";
import { renderGatewayStatus } from "../../src/report/gateway/gateway-status-text.ts";

const at = instant("2026-01-01T12:00:00.000Z");
const ADDRESS = "http://10.0.0.1:8900";

const QUIET: GatewayFleetSummary = {
  name: "shop",
  fleet: "shop",
  repository: { url: "https://forge.example/shop.git", ref: null, path: null },
  isReady: true,
  notReadyBecause: null,
  inForce: null,
  latest: null,
  waiting: null,
  sourceTrouble: null,
  silentNodes: [],
  drift: [],
  heldBy: null,
  run: null,
};

const notes = (fleet: Partial<GatewayFleetSummary>): string[] =>
  renderGatewayStatus(
    {
      ...{
        kind: "GatewayFleetList",
        version: 1,
        now: at,
        gateway: { version: "1.0.0", since: at, leader: { mode: "alone" } },
      },
      fleets: [{ ...QUIET, ...fleet }],
    },
    { colour: false, address: ADDRESS },
  )
    .split("\n")
    .slice(3, -2);

test("a broken commit is shown with its places, of hundreds of mistakes the first", () => {
  const latest = (message: string) => ({
    ...{ id: "c0ffee", what: "a typo", commit: null, standing: "refused", at, heldBelow: null },
    because: { code: "MANIFEST_INVALID" as const, message, hint: null },
  });
  expect(
    notes({ latest: latest('1 mistake\n\nweb.yaml:9:3  error  unknown field "cpu"\n 9 │   cpu: 1\u001b[2J') }),
  ).toEqual([
    "shop: c0ffee is refused: 1 mistake",
    '  web.yaml:9:3  error  unknown field "cpu"',
    "   9 │   cpu: 1\\x1b[2J",
  ]);
  const many = notes({
    latest: latest(["500 mistakes", ...Array.from({ length: 500 }, (_, n) => `m${n}`)].join("\n")),
  });
  expect(many).toHaveLength(17);
  expect(many.at(-1)).toBe("  … and 485 more lines");
});

test("a repository that cannot be looked at is told once", () => {
  const because = { code: "SOURCE_REF_NOT_FOUND" as const, message: "no branch", hint: null };
  expect(notes({ isReady: false, notReadyBecause: because, sourceTrouble: { ...because, since: at } })).toEqual([
    `shop: the repository, since ${at}: no branch`,
  ]);
  expect(notes({ isReady: false, notReadyBecause: because })).toEqual(["shop: not ready: no branch"]);
});

test("what waits is told with the command that finds it", () => {
  const waiting = { revision: "c0ffee", plan: "p", run: "r-1", changes: [], approvedBy: null };
  expect(notes({ waiting }).join()).toContain(`odorobo runs show r-1 --gateway ${ADDRESS}, then`);
});

test("drift that is only reported is to be seen where somebody looks", () => {
  expect(notes({ drift: ["create web-1", "update db"] })).toEqual([
    "shop: not as the manifests say, though nobody changed them: create web-1, update db",
  ]);
});
