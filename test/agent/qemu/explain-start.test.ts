/** Words of QEMU 7.2, seen. */
import { expect, test } from "vitest";
import { explainStart } from "../../../src/agent/hypervisor/qemu/explain-start.ts";
import { aSpec } from "../../support/a-fleet.ts";

const spec = aSpec({
  disks: [
    { name: "root", origin: { kind: "blank", sizeMiB: 4 }, readonly: false },
    { name: "data", origin: { kind: "external", url: "nbd://127.0.0.1:1/x" }, readonly: false },
  ],
});
const words = (node: string, why: string) =>
  `2026-11-28T13:00:00.1Z qemu-system-x86_64: -blockdev {"driver":"raw","file":{"driver":"nbd","server":{"type":"inet","host":"127.0.0.1","port":"1"},"export":"x"},"node-name":"${node}","read-only":false,"discard":"unmap"}: ${why}`;

test("a disk that cannot be opened is told as that disk", () => {
  const refused = "Failed to connect to '127.0.0.1:1': Connection refused";
  expect(explainStart(spec, words("disk-data", refused))).toBe(`disk data: nbd://127.0.0.1:1/x: ${refused}`);
  // Of a long line only the end is kept, and other lines may follow.
  const cut = words("disk-data", refused).slice(-160);
  expect(explainStart(spec, `${cut} · bye`)).toBe(`disk data: nbd://127.0.0.1:1/x: ${refused}`);
  expect(explainStart(spec, words("disk-root", "Permission denied"))).toBe(
    "disk root: an empty volume: Permission denied",
  );
});

test.each(["", "qemu-system-x86_64: cannot set up guest memory", words("seed.0", "gone")])(
  "%s: nothing better",
  (said) => {
    expect(explainStart(spec, said)).toBeNull();
  },
);
