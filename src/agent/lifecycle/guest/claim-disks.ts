/** Before a guest is given its disks: nobody else on this node may write to them, and none of them is an image below others. */
import { OdoroboError } from "../../../model/errors.ts";
import type { VmSpec } from "../../../model/vm-spec.ts";
import { ownDiskFile, type VmPaths } from "../../launch-command.ts";
import { identitiesOf, namedIdentity, openIdentities } from "../../storage/disk-identity.ts";
import { filesOpenIn } from "../../storage/open-files.ts";
import type { Conflict, DiskUse } from "../parts/disk-claims.ts";
import type { Parts } from "../parts/parts.ts";
import type { Slot } from "../parts/slot.ts";

/** For disks and images of others: a look that is late on a busy node may let two write to one disk, so it is long. */
const PATIENCE_MS = 5_000;

/** `booted`: what the guest has until then; null: there is none. Rejects with DISK_IN_USE. */
export async function claimDisks(parts: Parts, slot: Slot, spec: VmSpec, booted: VmSpec | null): Promise<void> {
  const wanted = await usesOf(parts, slot, spec);
  const held = booted === null ? [] : await usesOf(parts, slot, booted);
  await refuseImages(parts, slot, wanted);
  if (wanted.length > 0) {
    const others = parts.claims.unknown().filter((other) => other !== slot);
    await Promise.all(others.map((other) => noteDisks(parts, other)));
    const untold = [...parts.claims.slots.values()].filter((other) => other !== slot && other.untold !== null);
    await Promise.all(untold.map((other) => noteOpenFiles(parts, other)));
  }
  for (let isSure = false; ; isSure = true) {
    const conflict = parts.claims.claim(slot, wanted, held);
    if (conflict === null) return;
    // What it has now may be less than what it once claimed.
    const { slot: other } = conflict;
    if (isSure || other === slot || other.inFlight.size > 0 || other.untold !== null) throw inUse(slot, conflict);
    await noteDisks(parts, other);
  }
}

/** Of a guest that runs: what it has been given is its own. */
async function noteDisks(parts: Parts, slot: Slot): Promise<void> {
  const { stored } = slot;
  const booted = stored?.state === "present" ? stored.guest?.bootedSpec : undefined;
  const live = booted !== undefined && slot.live !== null ? { ...booted, disks: slot.live.disks } : booted;
  if (slot.guest === null || live === undefined) return parts.claims.note(slot, []);
  const look = () => usesOf(parts, slot, live);
  try {
    parts.claims.note(slot, await parts.looks.look(`disks ${slot.name}`, look, PATIENCE_MS));
  } catch {
    // Its storage does not answer, and must not keep others from booting: until it does, its disks are known by name.
    const byName = async (url: string) => [namedIdentity(url)];
    parts.claims.noteForNow(slot, await usesOf(parts, slot, live, byName));
  }
}

/** Of a guest that no record tells of. Before each claim: what it has may change without us. */
async function noteOpenFiles(parts: Parts, slot: Slot): Promise<void> {
  const { untold } = slot;
  if (untold === null || !parts.supervisor.isRunning(untold)) {
    slot.untold = null;
    return;
  }
  const files = await filesOpenIn(untold.pid);
  const look = () => Promise.all(files.map(openIdentities));
  const identities = await parts.looks
    .look(`open in ${untold.pid}`, look, PATIENCE_MS)
    .catch(() => files.map(({ path }) => [namedIdentity(path)]));
  parts.claims.note(
    slot,
    files.map(({ path, readonly }, index) => ({ disk: path, readonly, identities: identities[index] ?? [] })),
  );
}

/** Stand-ins open no disk. */
async function usesOf(parts: Parts, slot: Slot, spec: VmSpec, known = identitiesOf): Promise<readonly DiskUse[]> {
  if (parts.hypervisors.get(spec.hypervisor)?.disks !== "real") return [];
  const named = [...namedDisks(spec, parts.store.paths(slot.name))];
  return await Promise.all(
    named.map(async ({ disk, url, readonly }) => ({ disk, readonly, identities: await known(url) })),
  );
}

interface Named {
  readonly disk: string;
  /** Or a path. */
  readonly url: string;
  readonly readonly: boolean;
}

/** Those that only Cloud Hypervisor's own section of the spec names, too. */
function* namedDisks(spec: VmSpec, paths: VmPaths): Iterable<Named> {
  for (const disk of spec.disks) {
    const url = disk.origin.kind === "external" ? disk.origin.url : ownDiskFile(paths, disk);
    if (url !== null) yield { disk: disk.name, url, readonly: disk.readonly };
  }
  if (spec.hypervisor !== "cloud-hypervisor") return;
  const { disks, pmem } = spec.passthrough;
  for (const [index, { id, path, readonly }] of listOf(disks).entries())
    if (typeof path === "string")
      yield { disk: String(id ?? `number ${index}`), url: path, readonly: readonly === true };
  for (const [index, { id, file, discard_writes }] of listOf(pmem).entries())
    if (typeof file === "string")
      yield { disk: String(id ?? `pmem ${index}`), url: file, readonly: discard_writes === true };
}

const listOf = (value: unknown): readonly Readonly<Record<string, unknown>>[] =>
  Array.isArray(value) ? value.filter((item) => typeof item === "object" && item !== null) : [];

/** Also of VMs that are off, and of deleted ones that may come back: what is written to an image now they read later. */
async function refuseImages(parts: Parts, slot: Slot, uses: readonly DiskUse[]): Promise<void> {
  const written = uses.filter((use) => !use.readonly);
  if (written.length === 0) return;
  const below = new Map<string, { readonly path: string; readonly disk: string; readonly name: string }>();
  for (const { name, stored } of parts.claims.slots.values()) {
    if (stored === null || stored.state === "unreadable") continue;
    for (const [disk, notes] of Object.entries(stored.images ?? {}))
      for (const { path } of notes) below.set(path, below.get(path) ?? { path, disk, name });
    for (const [disk, origin] of Object.entries(stored.ownDisks))
      if (origin.kind === "image" && origin.remote === undefined)
        below.set(origin.path, below.get(origin.path) ?? { path: origin.path, disk, name });
  }
  for (const path of parts.imageCache.paths())
    if (!below.has(path)) below.set(path, { path, disk: "that is yet to be made", name: "this node" });
  const images = await Promise.all(
    [...below.values()].map(async (each) => ({ ...each, identities: await imageIdentities(parts, each.path) })),
  );
  for (const { disk, name, identities } of images) {
    const image = new Set(identities);
    const use = written.find((each) => each.identities.some((identity) => image.has(identity)));
    if (use !== undefined)
      throw new OdoroboError(
        "DISK_IN_USE",
        `disk ${use.disk} of ${slot.name} is the image below disk ${disk} of ${name}: what is written to it destroys that disk`,
        { hint: "make it readonly, or give the VM a disk over the image" },
      );
  }
}

const imageIdentities = (parts: Parts, path: string): Promise<readonly string[]> =>
  parts.looks.look(`identities ${path}`, () => identitiesOf(path), PATIENCE_MS).catch(() => [namedIdentity(path)]);

function inUse(slot: Slot, { slot: other, ours, theirs }: Conflict): OdoroboError {
  const isOwn = other === slot;
  const whose = isOwn ? `its disk ${theirs.disk}` : `disk ${theirs.disk} of ${other.name}, which has it now`;
  return new OdoroboError("DISK_IN_USE", `disk ${ours.disk} of ${slot.name} is the same bytes as ${whose}`, {
    hint: isOwn
      ? "two disks that write to the same bytes destroy them: remove one, or make both readonly"
      : `end ${other.name} or detach the disk from it first; both may read it with readonly: true`,
  });
}
