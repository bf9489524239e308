/** Whatever a guest goes through, what it is said to be is what was last asked for: nothing a plan could call a difference. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { diskStorage } from "../../../src/agent/storage/disk-storage.ts";
import { toLiveConfig } from "../../../src/model/fields.ts";
import type { Disk, Nic, VmSpec } from "../../../src/model/vm-spec.ts";
import { aCloudHypervisorSpec, aCloudHypervisorWorld, type TestGuest } from "../../support/cloud-hypervisor-world.ts";
import { patience } from "../../support/qemu-world.ts";
import { until } from "../../support/until.ts";

const MAX_CPUS = 4;
const NAMES = ["root", "data", "logs"] as const;

const blank = (name: string, sizeMiB: number): Disk => ({ name, origin: { kind: "blank", sizeMiB }, readonly: false });
const nic = (name: string, last: number): Nic => ({
  name,
  network: "front",
  attachment: { kind: "bridge", bridge: "br0" },
  mac: `52:54:00:00:00:0${last}`,
  address: null,
});

type Step =
  | { readonly kind: "cpus"; readonly count: number }
  | { readonly kind: "disk"; readonly name: string; readonly sizeMiB: number }
  | { readonly kind: "no-disk"; readonly name: string }
  | { readonly kind: "nic" | "no-nic"; readonly name: string; readonly last: number }
  | { readonly kind: "balloon"; readonly mib: number }
  | { readonly kind: "new-agent" | "guest-reboot" | "api-reboot" | "pause" | "resume" };

const anyName = fc.constantFrom(...NAMES);
const anyStep: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ kind: fc.constant("cpus"), count: fc.integer({ min: 1, max: MAX_CPUS }) }),
  fc.record({ kind: fc.constant("disk"), name: anyName, sizeMiB: fc.integer({ min: 1, max: 6 }) }),
  fc.record({ kind: fc.constant("no-disk"), name: anyName }),
  fc.record({ kind: fc.constantFrom("nic", "no-nic"), name: fc.constantFrom("eth0", "eth1"), last: fc.constant(1) }),
  fc.record({ kind: fc.constant("balloon"), mib: fc.integer({ min: 0, max: 32 }) }),
  fc.record({ kind: fc.constantFrom("new-agent", "guest-reboot", "api-reboot", "pause", "resume") }),
);

/** The spec after a step; null: the step changes none. Disks only grow, and the first one stays: the guest boots from it. */
function specAfter(spec: VmSpec, step: Step, files: Map<string, number>): VmSpec | null {
  switch (step.kind) {
    case "cpus":
      return { ...spec, cpus: { count: step.count, max: MAX_CPUS } };
    case "disk": {
      const before = spec.disks.find(({ name }) => name === step.name);
      // The file of a disk that was taken away is still there, as large as it was.
      const disk = blank(step.name, Math.max(files.get(step.name) ?? 1, step.sizeMiB));
      files.set(step.name, disk.origin.kind === "blank" ? disk.origin.sizeMiB : 0);
      return before === undefined
        ? { ...spec, disks: [...spec.disks, disk] }
        : { ...spec, disks: spec.disks.map((each) => (each.name === step.name ? disk : each)) };
    }
    case "no-disk":
      if (step.name === "root") return null;
      return { ...spec, disks: spec.disks.filter(({ name }) => name !== step.name) };
    case "nic":
    case "no-nic": {
      const rest = spec.nics.filter(({ name }) => name !== step.name);
      if (step.kind === "no-nic") return { ...spec, nics: rest };
      return rest.length < spec.nics.length
        ? null
        : { ...spec, nics: [...rest, nic(step.name, Number(step.name.at(-1)))] };
    }
    case "balloon":
      return { ...spec, passthrough: { balloon: { size: step.mib << 20 } } };
    default:
      return null;
  }
}

async function take(guest: TestGuest, step: Step): Promise<void> {
  const { running } = guest;
  // Another NIC of a name that is there, or the last disk gone: nothing.
  if (step.kind === "nic" || step.kind === "no-disk") return;
  const reboots = guest.told.length;
  switch (step.kind) {
    case "new-agent":
      return guest.reconnect();
    case "guest-reboot":
      if ((await running.status(patience())).phase === "paused") return;
      await guest.does("reboot");
      await until("it is told", () => guest.told.length > reboots);
      return;
    case "api-reboot":
      await running.abilities.raw?.({ method: "PUT", path: "vm.reboot", body: null }, patience());
      return;
    case "pause":
      return running.pause(patience());
    case "resume":
      return running.resume(patience());
    default:
      throw new Error(`${step.kind} changes the spec`);
  }
}

test("a guest is what was last asked for, whatever it goes through", async () => {
  await using world = await aCloudHypervisorWorld({ double: true });
  let lives = 0;
  await fc.assert(
    fc.asyncProperty(fc.array(anyStep, { minLength: 1, maxLength: 10 }), async (steps) => {
      let spec = aCloudHypervisorSpec({
        cpus: { count: 1, max: MAX_CPUS },
        disks: [blank("root", 1)],
        passthrough: { balloon: { size: 0 } },
      });
      const files = new Map<string, number>();
      const guest = await world.boot(`web-${lives++}`, spec);
      try {
        for (const step of steps) {
          const wanted = specAfter(spec, step, files);
          if (wanted === null) await take(guest, step);
          else {
            await diskStorage.ensure(guest.input.paths, wanted.disks, {
              kind: "real",
              grow: false,
              signal: patience(),
            });
            // A guest that stands still lets go of nothing.
            await guest.running.resume(patience());
            await guest.running.update(wanted, patience());
            spec = wanted;
          }
          const { disks, nics, ...rest } = await guest.running.liveConfig(patience());
          const { disks: wantedDisks, nics: wantedNics, ...wantedRest } = toLiveConfig(spec);
          expect(rest, JSON.stringify(step)).toEqual(wantedRest);
          // In the order of being plugged: a difference compares them by name.
          const sorted = <T extends Disk | Nic>(items: readonly T[]) =>
            [...items].sort((a, b) => (a.name < b.name ? -1 : 1));
          expect(sorted(disks), JSON.stringify(step)).toEqual(sorted(wantedDisks));
          expect(sorted(nics), JSON.stringify(step)).toEqual(sorted(wantedNics));
        }
      } finally {
        await guest.running.quit(patience());
        await guest.leave();
      }
    }),
    { numRuns: 12 },
  );
});
