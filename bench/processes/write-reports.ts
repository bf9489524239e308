/** What the agents of a fleet say, as the sources of a tree understand its manifests: every VM is where it should be, as it should be. */
import { join } from "node:path";
import type * as ReadFleet from "../../src/turn/read-fleet.ts";
import type * as CannedReports from "../canned-reports.ts";
import { homeOf } from "../fleet-texts.ts";
import { tell } from "../tell.ts";

const [root = "", manifests = "", reports = "", nodes = "0"] = process.argv.slice(2);
const { loadFleet }: typeof ReadFleet = await import(join(root, "src/turn/read-fleet.ts"));
const { writeReports }: typeof CannedReports = await import(join(root, "bench/canned-reports.ts"));

const { desired } = await loadFleet({ kind: "folder", path: manifests }, new AbortController().signal);
const size = { vms: desired.vms.length, nodes: Number(nodes) };
const indexOf = (name: string) => Number(name.slice(-5));
await writeReports(reports, desired, (vm) => homeOf(indexOf(vm.name), size));
tell(`reports of ${size.nodes} nodes`);
