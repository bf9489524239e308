/** What QEMU's devices say of a guest that it stopped. The answers are QEMU 7.2's, shortened. */
import { expect, test } from "vitest";
import { toStall } from "../../../src/agent/hypervisor/qemu/guest.ts";
import type { BlockBackend } from "../../../src/agent/hypervisor/qemu/qmp/qmp-commands.ts";

const DISKS = [{ name: "root" }, { name: "data" }];
const device = (name: string, status?: BlockBackend["io-status"]): BlockBackend => ({
  ...(status === undefined ? {} : { "io-status": status }),
  inserted: { "node-name": `disk-${name}`, ro: false, image: { "virtual-size": 8 } },
});

test.each([
  ["a full one", [device("root", "ok"), device("data", "nospace")], { disks: ["data"], noRoom: true }],
  ["several", [device("root", "nospace"), device("data", "nospace")], { disks: ["data", "root"], noRoom: true }],
  ["one that failed, by werror=stop", [device("root"), device("data", "failed")], { disks: ["data"], noRoom: false }],
  [
    "both: room alone does not help",
    [device("root", "failed"), device("data", "nospace")],
    { disks: ["data", "root"], noRoom: false },
  ],
  ["one of somebody else's", [device("mine", "nospace")], { disks: [], noRoom: true }],
  ["none that says so", [device("root", "ok"), {}], { disks: [], noRoom: false }],
])("%s", (_, blocks, stall) => {
  expect(toStall(blocks, DISKS)).toEqual(stall);
});
