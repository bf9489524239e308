/** A guest that runs and says nothing is not asked again and again; whatever may have stopped it is asked for. */
import { expect, test } from "vitest";
import { QemuGuest, type QemuGuestParts } from "../../../src/agent/hypervisor/qemu/guest.ts";
import type { QmpEvent } from "../../../src/agent/hypervisor/qemu/qmp/qmp-commands.ts";
import { aClock } from "../../support/a-clock.ts";
import { aSpec } from "../../support/a-fleet.ts";

const NEVER = new AbortController().signal;

function aGuest() {
  const clock = aClock();
  const qemu = { status: "running", asked: 0, isClosed: false, whileAsked: () => {} };
  let tell: (event: QmpEvent) => void = () => {};
  const qmp = {
    onEvent: (listener: typeof tell) => {
      tell = listener;
    },
    closed: new Promise<void>(() => {}),
    get isClosed() {
      return qemu.isClosed;
    },
    async call() {
      qemu.asked++;
      const { status } = qemu;
      qemu.whileAsked();
      return { status };
    },
  } as unknown as QemuGuestParts["qmp"];
  const guest = new QemuGuest({
    vm: {
      name: "web-1",
      spec: aSpec({ hypervisor: "qemu" }),
      paths: { runFolder: "/r", diskFolder: "/d", logFolder: "/l" },
      files: new Map(),
    },
    host: {} as QemuGuestParts["host"],
    qmp,
    attached: { disks: [], nics: [], releasing: [] },
    detachMs: 1,
    clock,
    serial: {} as QemuGuestParts["serial"],
  });
  /** Its phase, and whether it was asked for it. */
  const look = async () => {
    const before = qemu.asked;
    const { phase } = await guest.status(NEVER);
    return [phase, qemu.asked > before];
  };
  return { clock, qemu, look, tell: (event: string) => tell({ event, data: {} } as unknown as QmpEvent) };
}

test("one that ran a moment ago is believed to, for a second", async () => {
  const { clock, look } = aGuest();
  expect([await look(), await look()]).toEqual([
    ["running", true],
    ["running", false],
  ]);
  clock.advance(1_000);
  expect(await look()).toEqual(["running", true]);
});

test.each(["STOP", "SHUTDOWN", "GUEST_PANICKED", "RESET", "BLOCK_IO_ERROR", "SOMETHING_NEW"])(
  "after %s it is asked",
  async (event) => {
    const { qemu, look, tell } = aGuest();
    await look();
    qemu.status = "paused";
    tell(event);
    expect(await look()).toEqual(["paused", true]);
  },
);

test("what it said before an event is not believed after it", async () => {
  const { qemu, look, tell } = aGuest();
  qemu.whileAsked = () => {
    qemu.status = "paused";
    tell("STOP");
  };
  expect(await look()).toEqual(["running", true]);
  expect(await look()).toEqual(["paused", true]);
});

test("one that does not run, or whose connection ended, is asked each time", async () => {
  const { qemu, look } = aGuest();
  qemu.status = "paused";
  expect([await look(), await look()]).toEqual([
    ["paused", true],
    ["paused", true],
  ]);
  qemu.status = "running";
  await look();
  qemu.isClosed = true;
  expect(await look()).toEqual(["running", true]);
});
