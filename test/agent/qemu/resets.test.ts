/** One reboot of a guest is one event, however often QEMU resets the machine for it. */
import { expect, test } from "vitest";
import { QemuGuest, type QemuGuestParts } from "../../../src/agent/hypervisor/qemu/guest.ts";
import type { QmpEvent } from "../../../src/agent/hypervisor/qemu/qmp/qmp-commands.ts";
import { aClock } from "../../support/a-clock.ts";
import { aSpec } from "../../support/a-fleet.ts";

/** A guest that is only listened to: what QEMU tells of it is all there is. */
function aGuest() {
  const clock = aClock();
  let tell: (event: QmpEvent) => void = () => {};
  const qmp = {
    onEvent: (listener: typeof tell) => {
      tell = listener;
    },
    closed: new Promise<void>(() => {}),
  } as unknown as QemuGuestParts["qmp"];
  const paths = { runFolder: "/r", diskFolder: "/d", logFolder: "/l" };
  const vm = { name: "web-1", spec: aSpec({ hypervisor: "qemu" }), paths, files: new Map() };
  const attached = { disks: [], nics: [], releasing: [] };
  const guest = new QemuGuest({
    vm,
    host: {} as QemuGuestParts["host"],
    qmp,
    attached,
    detachMs: 1,
    clock,
    serial: {} as QemuGuestParts["serial"],
  });
  const told: string[] = [];
  guest.onEvent(({ kind }) => told.push(kind));
  const resets = (by: "guest-reset" | "host-qmp-system-reset") =>
    tell({ event: "RESET", data: { guest: by === "guest-reset", reason: by } });
  return { clock, told, resets };
}

test("the resets of one reboot, 0.1 s apart, are told once, and the next reboot is told again", () => {
  const { clock, told, resets } = aGuest();
  for (const afterMs of [0, 94, 5]) {
    clock.advance(afterMs);
    resets("guest-reset");
  }
  expect(told).toEqual(["reboot"]);
  clock.advance(10_000);
  resets("guest-reset");
  clock.advance(116);
  resets("guest-reset");
  expect(told).toEqual(["reboot", "reboot"]);
});

test("a reset that somebody asked QEMU for is none of the guest's, and hides none", () => {
  const { told, resets } = aGuest();
  resets("host-qmp-system-reset");
  expect(told).toEqual([]);
  resets("guest-reset");
  expect(told).toEqual(["reboot"]);
});
