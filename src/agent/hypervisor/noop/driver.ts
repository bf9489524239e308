/**
 * A hypervisor without a guest: everything that can be planned and applied can be rehearsed with it, on a laptop, in CI or
 * by a thousand. Its guests are files (`guest-file.ts`), their misfortunes are annotations (`settings.ts`).
 */
import { readFileSync } from "node:fs";
import { OdoroboError } from "../../../model/errors.ts";
import { toLiveConfig } from "../../../model/fields.ts";
import type { HypervisorReport, LiveConfig } from "../../../model/observed-state.ts";
import type { Clock } from "../../../platform/clock.ts";
import type { Hypervisor } from "../hypervisor.ts";
import { GuestFile, type NoopGuest } from "./guest-file.ts";
import { arrivalOf, incomingUrl, takeIn } from "./moving.ts";
import { admitGuest } from "./on-its-way.ts";
import { RunningNoopGuest, snapshotFile, toldToFail } from "./running-guest.ts";
import { readSettings } from "./settings.ts";

const REPORT: HypervisorReport = {
  kind: "noop",
  version: "1",
  capabilities: {
    live: {
      cpusUp: true,
      cpusDown: true,
      memoryUp: true,
      memoryDown: true,
      diskGrow: true,
      diskAttach: true,
      diskDetach: true,
      nicAttach: true,
      nicDetach: true,
      forwards: true,
    },
    pause: true,
    migrate: true,
    moves: { live: true, ownDisks: true },
    bootKinds: ["firmware", "kernel"],
    diskKinds: ["image", "blank", "file", "nbd", "rbd", "iscsi"],
    nicKinds: ["user", "bridge", "none"],
    cloudInit: true,
  },
};

export const createNoopHypervisor = (options: { readonly clock: Clock }): Hypervisor => ({
  kind: "noop",
  disks: "placeholder",
  async probe() {
    return REPORT;
  },
  compile(vm) {
    if (readSettings(vm.spec).fails.has("create")) throw toldToFail(vm.name, "create");
    return null;
  },
  async connect(vm, { fresh, fromSnapshot, signal }) {
    const guest = new RunningNoopGuest(vm, options.clock);
    const { runFolder } = vm.paths;
    if (fresh)
      await guest.boot(fromSnapshot === undefined ? toLiveConfig(vm.spec) : readSnapshot(fromSnapshot), signal);
    // What still waits can be asked nothing, but told to end.
    else if (new GuestFile(runFolder).read()?.phase === "receiving" && !takeIn(runFolder, wallMs(options.clock)))
      return guest;
    guest.watch();
    return guest;
  },
  async receive(vm, { url, signal }) {
    if (readSettings(vm.spec).fails.has("receive")) throw toldToFail(vm.name, "receive");
    const { runFolder } = vm.paths;
    const here = incomingUrl(runFolder);
    if (url !== "" && url !== here)
      throw new OdoroboError("UNSUPPORTED", `a noop guest cannot be waited for at ${url}`, {
        hint: `leave the URL to it: ${here}`,
      });
    const bootedAt = wallMs(options.clock);
    new GuestFile(runFolder).write({ phase: "receiving", bootedAt, live: toLiveConfig(vm.spec) });
    const arrived = arrivalOf(runFolder, () => wallMs(options.clock), signal).then(() => {
      const guest = new RunningNoopGuest(vm, options.clock);
      guest.watch();
      return guest;
    });
    return { url: here, arrived };
  },
  async admit(vm, { again }) {
    const { fails } = readSettings(vm.spec);
    if (!again && fails.has("receive")) throw toldToFail(vm.name, "receive");
    return admitGuest(vm, {
      again,
      now: () => wallMs(options.clock),
      refuseIf: (act) => {
        if (fails.has(act)) throw toldToFail(vm.name, act);
      },
      begin: () => {
        const guest = new RunningNoopGuest(vm, options.clock);
        guest.watch();
        return guest;
      },
    });
  },
});

const wallMs = (clock: Clock): number => Date.parse(clock.now());

function readSnapshot(folder: string): LiveConfig {
  try {
    return (JSON.parse(readFileSync(snapshotFile(folder), "utf8")) as NoopGuest).live;
  } catch (cause) {
    throw new OdoroboError("HYPERVISOR_FAILED", `${folder} holds no snapshot of a noop guest`, {
      cause,
      hint: "odorobo vm snapshot NAME FOLDER writes one",
    });
  }
}
