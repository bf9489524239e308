/**
 * LiveConfig × spec → what can be done about the difference while the guest runs. Pure; `perform-changes.ts` does it.
 * It must offer exactly what LIVE_CAPABILITIES promises: the planner believes that table.
 */

import { sameValue } from "../../../model/fields.ts";
import type { HypervisorCapabilities, LiveConfig } from "../../../model/observed-state.ts";
import type { Disk, Forward, Nic, VmSpec } from "../../../model/vm-spec.ts";

export type LiveChange =
  | { readonly kind: "add-cpus"; readonly count: number }
  | { readonly kind: "grow-disk"; readonly name: string; readonly sizeMiB: number }
  | { readonly kind: "detach-disk"; readonly name: string }
  | { readonly kind: "attach-disk"; readonly disk: Disk }
  | { readonly kind: "detach-nic"; readonly name: string }
  | { readonly kind: "attach-nic"; readonly nic: Nic }
  | { readonly kind: "remove-forward"; readonly nic: string; readonly forward: Forward }
  | { readonly kind: "add-forward"; readonly nic: string; readonly forward: Forward };

export const LIVE_CAPABILITIES: HypervisorCapabilities["live"] = {
  cpusUp: true,
  // QEMU 7.2 under TCG aborts when a CPU is taken away ("double free"), and few guests give one back.
  cpusDown: false,
  memoryUp: false,
  memoryDown: false,
  diskGrow: true,
  diskAttach: true,
  diskDetach: true,
  nicAttach: true,
  nicDetach: true,
  forwards: true,
};

/** Detaching comes before attaching: it frees ports. A disk or NIC that differs in more than its size waits for a reboot. */
export function liveChanges(live: LiveConfig, spec: VmSpec): LiveChange[] {
  const cpus = Math.min(spec.cpus.count, live.cpus.max);
  return [
    ...(cpus > live.cpus.count ? [{ kind: "add-cpus", count: cpus } as const] : []),
    ...missingFrom(spec.disks, live.disks).map(({ name }) => ({ kind: "detach-disk", name }) as const),
    ...missingFrom(spec.nics, live.nics).map(({ name }) => ({ kind: "detach-nic", name }) as const),
    ...spec.disks.flatMap((disk) =>
      growth(
        live.disks.find((other) => other.name === disk.name),
        disk,
      ),
    ),
    ...missingFrom(live.disks, spec.disks).map((disk) => ({ kind: "attach-disk", disk }) as const),
    ...missingFrom(live.nics, spec.nics).map((nic) => ({ kind: "attach-nic", nic }) as const),
    ...forwardChanges(live, spec),
  ];
}

/** First those that go: one of them may have the port that another is to have. */
function forwardChanges(live: LiveConfig, spec: VmSpec): LiveChange[] {
  const both = spec.nics.flatMap((nic) => {
    const now = live.nics.find((other) => other.name === nic.name);
    const isUser = nic.attachment.kind === "user" && now?.attachment.kind === "user";
    return isUser ? [{ nic: nic.name, wanted: nic.forwards ?? [], has: now.forwards ?? [] }] : [];
  });
  const missing = (from: readonly Forward[], list: readonly Forward[]) =>
    from.filter((forward) => forward.hostPort !== null && !list.some((each) => sameValue(each, forward)));
  return [
    ...both.flatMap(({ nic, wanted, has }) =>
      missing(has, wanted).map((forward) => ({ kind: "remove-forward", nic, forward }) as const),
    ),
    ...both.flatMap(({ nic, wanted, has }) =>
      missing(wanted, has).map((forward) => ({ kind: "add-forward", nic, forward }) as const),
    ),
  ];
}

/** Items of `from` whose names `list` does not have. */
function missingFrom<T extends { readonly name: string }>(list: readonly T[], from: readonly T[]): T[] {
  const names = new Set(list.map((item) => item.name));
  return from.filter((item) => !names.has(item.name));
}

function growth(live: Disk | undefined, disk: Disk): LiveChange[] {
  if (live === undefined || live.origin.kind === "external" || disk.origin.kind !== live.origin.kind) return [];
  if (disk.readonly || disk.origin.sizeMiB <= live.origin.sizeMiB) return [];
  return [{ kind: "grow-disk", name: disk.name, sizeMiB: disk.origin.sizeMiB }];
}
