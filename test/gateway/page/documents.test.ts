/** Documents of the page whose parts come from elsewhere, as their schemas describe them. */
import { expect, test } from "vitest";
import { instant, nodeName, vmName } from "../../../src/model/names.ts";
import { fileLink, forgeLinks } from "../../../src/report/gateway/forge-links.ts";
import type { GatewayVmEvents, GatewayVmHistory } from "../../../src/report/gateway/page-documents.ts";
import { expectValid } from "../../support/expect-valid.ts";

const NOW = instant("2026-01-01T12:00:00.000Z");

test("events and history of a VM are described by their schemas", () => {
  const about = { version: 1, fleet: "shop", now: NOW, vm: vmName("web-1") } as const;
  const events: GatewayVmEvents = {
    ...{ ...about, kind: "GatewayVmEvents", node: nodeName("n1"), isComplete: true },
    events: [{ at: NOW, kind: "phase", message: "web-1 runs" }],
  };
  expectValid(events, "gateway-vm-events");
  const history: GatewayVmHistory = {
    ...{ ...about, kind: "GatewayVmHistory", isComplete: false, because: null },
    entries: [
      {
        ...{ commit: "a".repeat(40), at: NOW, subject: "more", author: "ann", link: null, what: "changed" },
        ...{ fields: ["cpus.count"], revision: { id: "aaaa", standing: "applied", at: NOW } },
      },
    ],
    runs: [
      {
        ...{ id: "r", at: NOW, by: "ann", approvedBy: null, status: "done", commit: null },
        steps: [{ title: "boot web-1 on n1", outcome: null }],
      },
    ],
  };
  expectValid(history, "gateway-vm-history");
});

test.each([
  [
    "github",
    { url: "https://api.github.com", repository: "team/fleet" },
    "https://github.com/team/fleet/blob/c0ffee/vms/a%20b.yaml#L7",
  ],
  [
    "gitlab",
    { url: "https://git.example/", repository: "a/b/fleet" },
    "https://git.example/a/b/fleet/-/blob/c0ffee/vms/a%20b.yaml#L7",
  ],
  [
    "github",
    { url: "https://ghe.example/api/v3", repository: "t/f" },
    "https://ghe.example/t/f/blob/c0ffee/vms/a%20b.yaml#L7",
  ],
  [
    "forgejo",
    { url: "https://x.example/git", repository: "t/f" },
    "https://x.example/git/t/f/src/commit/c0ffee/vms/a%20b.yaml#L7",
  ],
  [
    "bitbucket",
    { url: "https://api.bitbucket.org", repository: "t/f" },
    "https://bitbucket.org/t/f/src/c0ffee/vms/a%20b.yaml#lines-7",
  ],
  [
    "gitea",
    "ssh://git@forge.example:2222/team/fleet.git",
    "https://forge.example/team/fleet/src/commit/c0ffee/vms/a%20b.yaml#L7",
  ],
  ["github", "git@github.com:team/fleet.git", "https://github.com/team/fleet/blob/c0ffee/vms/a%20b.yaml#L7"],
  ["gitlab", "https://git.example/team/fleet.git", "https://git.example/team/fleet/-/blob/c0ffee/vms/a%20b.yaml#L7"],
] as const)("%s %j has its lines at %s", (kind, place, link) => {
  const links = forgeLinks({
    kind,
    api: typeof place === "string" ? null : place,
    url: typeof place === "string" ? place : "/srv/elsewhere",
    path: null,
  });
  expect(fileLink(links, "c0ffee", { file: "vms/a b.yaml", line: 7 })).toBe(link);
});

test("no link is made of what is no address of the web; a folder in the repository is part of it", () => {
  for (const url of ["/srv/git/fleet.git", "javascript:alert(1)", "file:///etc"])
    expect(forgeLinks({ kind: "gitea", api: null, url, path: null })).toBeNull();
  expect(
    forgeLinks({ kind: "gitea", api: { url: "javascript:alert(1)", repository: "a/b" }, url: "", path: null }),
  ).toBeNull();
  const links = forgeLinks({ kind: "github", api: null, url: "https://h.example/a/b", path: "./fleets/eu 1/" });
  expect(fileLink(links, "c0", { file: "x.yaml", line: 1 })).toBe(
    "https://h.example/a/b/blob/c0/fleets/eu%201/x.yaml#L1",
  );
});
