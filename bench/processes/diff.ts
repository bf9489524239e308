/** Only the comparison of a whole fleet: once as a command does it, then again and again in the same process for the growth. */

import { openKeptReports } from "../../src/observe/kept-reports-file.ts";
import { observe } from "../../src/observe/observe.ts";
import { systemClock } from "../../src/platform/clock.ts";
import { useNativeDigests } from "../../src/platform/native-digests.ts";
import { findDifferences } from "../../src/reconcile/diff.ts";
import { locateVms } from "../../src/reconcile/locate-vms.ts";
import { loadFleet } from "../../src/turn/read-fleet.ts";
import { cannedAgent } from "../canned-agent.ts";
import { median } from "../measure.ts";
import { tell } from "../tell.ts";

const ROUNDS = 9;

useNativeDigests();
const [manifests = "", reports = ""] = process.argv.slice(2);
const { signal } = new AbortController();
const { desired, specs } = await loadFleet({ kind: "folder", path: manifests }, signal);
const kept = openKeptReports(specs);
const observed = await observe(desired.nodes, (node) => cannedAgent(reports, node.name, kept), {
  clock: systemClock,
  signal,
});

const once = () => {
  const begun = performance.now();
  const findings = findDifferences(desired, locateVms(desired, observed), null, observed.at);
  return { milliseconds: performance.now() - begun, findings };
};
const first = once();
const again = median(Array.from({ length: ROUNDS }, () => once().milliseconds));
const unchanged = [...first.findings.values()].filter(({ kind }) => kind === "unchanged").length;
tell(`${unchanged} of ${desired.vms.length} VMs compared and unchanged`, {
  milliseconds: first.milliseconds,
  values: { again },
});
