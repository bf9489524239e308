/**
 * A hypervisor without a guest: everything that can be planned and applied can be rehearsed with it, on a laptop, in CI or
 * by a thousand. Its guests are files (`guest-file.ts`), their misfortunes are annotations (`settings.ts`).
 */
import { toLiveConfig } from "../../../model/fields.ts";
import type { HypervisorReport } from "../../../model/observed-state.ts";
import type { Clock } from "../../../platform/clock.ts";
import type { Hypervisor } from "../hypervisor.ts";
import { RunningNoopGuest, toldToFail } from "./running-guest.ts";
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
    },
    pause: true,
    migrate: false,
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
  async connect(vm, { fresh, signal }) {
    const guest = new RunningNoopGuest(vm, options.clock);
    if (fresh) await guest.boot(toLiveConfig(vm.spec), signal);
    guest.watch();
    return guest;
  },
});
