/** What the agent must know of a spec before it takes it in: nothing leaves its folders, nothing is lost, nothing is impossible. Pure. */
import { digestOfText } from "../../../model/digest.ts";
import { type ErrorCode, OdoroboError } from "../../../model/errors.ts";
import { type Digest, isDnsLabel, type VmName } from "../../../model/names.ts";
import { type Disk, type DiskOrigin, probeAddress, referencedFiles, type VmSpec } from "../../../model/vm-spec.ts";
import type { PutVmRequest } from "../../../wire/operations.ts";

/** Throws BAD_REQUEST. */
export function checkName(name: VmName): void {
  if (isDnsLabel(name)) return;
  throw new OdoroboError("BAD_REQUEST", `${JSON.stringify(name.slice(0, 100))} is not a name for a VM`, {
    hint: "a name is a DNS label: lower-case letters, digits and dashes, at most 63 characters",
  });
}

/** Throws BAD_REQUEST. Names become file names: none may lead out of the VM's folder. */
export function checkPut(name: VmName, request: PutVmRequest): void {
  const refuse = (message: string, hint: string) => reject("BAD_REQUEST", `${name}: ${message}`, hint);
  if (request.id === "") refuse("the operation has no id", "give every act an id of its own");
  if (!Number.isSafeInteger(request.generation) || request.generation < 1)
    refuse(`generation ${request.generation} is not a whole number above 0`, "raise the generation with each spec");
  for (const [what, list] of [
    ["disk", request.spec.disks],
    ["NIC", request.spec.nics],
  ] as const) {
    const seen = new Set<string>();
    for (const { name: item } of list) {
      if (!isDnsLabel(item)) refuse(`${JSON.stringify(item)} is not a name for a ${what}`, "use a DNS label");
      if (seen.has(item)) refuse(`two ${what}s are called ${item}`, "names are unique in one VM");
      seen.add(item);
    }
  }
  for (const [digest, text] of Object.entries(request.files))
    if (digestOfText(text) !== digest)
      refuse(`the text sent as ${digest.slice(0, 12)} has another digest`, "send it as it is, under its sha256");
}

/** The texts that the spec refers to. Throws BAD_REQUEST when one was neither sent nor is `kept` from before. */
export function textsOf(name: VmName, request: PutVmRequest, kept: ReadonlySet<Digest>): ReadonlyMap<Digest, string> {
  const texts = new Map<Digest, string>();
  for (const digest of referencedFiles(request.spec)) {
    const text = request.files[digest];
    if (text !== undefined) texts.set(digest, text);
    else if (!kept.has(digest))
      reject(
        "BAD_REQUEST",
        `${name}: the cloud-init text ${digest.slice(0, 12)} was not sent with the spec`,
        "send every text that the spec refers to",
      );
  }
  return texts;
}

/** Throws UNSUPPORTED for a probe that could never succeed. Guests of stand-ins have no network, and count as ready. */
export function checkProbe(name: VmName, spec: VmSpec): void {
  if (spec.ready?.kind === "tcp" && probeAddress(spec) === null)
    reject(
      "UNSUPPORTED",
      `${name}: ready.tcp needs an address to connect to, and no NIC on a bridge has one`,
      "give a bridged NIC an address, or wait for a text on the serial line: ready.serial",
    );
}

/** Throws UNSUPPORTED when a disk that exists would have to shrink or become another disk. */
export function checkDisks(name: VmName, spec: VmSpec, ownDisks: Readonly<Record<string, DiskOrigin>>): void {
  for (const disk of spec.disks) {
    const made = ownDisks[disk.name];
    if (made === undefined || made.kind === "external" || disk.origin.kind === "external") continue;
    if (!isSameDisk(made, disk.origin))
      reject(
        "UNSUPPORTED",
        `${name}: disk ${disk.name} was made ${describe(made)}, the spec wants it ${describe(disk.origin)}`,
        "a disk keeps its contents: give the new one another name, or delete and create the VM",
      );
    if (disk.origin.sizeMiB < made.sizeMiB)
      reject(
        "UNSUPPORTED",
        `${name}: disk ${disk.name} has ${made.sizeMiB} MiB, the spec wants ${disk.origin.sizeMiB}`,
        "disks never shrink: give it at least that size, or make a new disk under another name",
      );
  }
}

/** Whether a file made as `made` is the disk that `wanted` means, sizes aside. */
export function isSameDisk(made: DiskOrigin, wanted: DiskOrigin): boolean {
  if (made.kind === "image" && wanted.kind === "image")
    return made.path === wanted.path && made.format === wanted.format;
  return made.kind === wanted.kind;
}

/** The disks of a spec whose bytes are the agent's, by name. */
export const ownDisksOf = (disks: readonly Disk[]): Readonly<Record<string, DiskOrigin>> =>
  Object.fromEntries(disks.flatMap((disk) => (disk.origin.kind === "external" ? [] : [[disk.name, disk.origin]])));

const describe = (origin: DiskOrigin): string => (origin.kind === "image" ? `from image ${origin.image}` : "blank");

function reject(code: ErrorCode, message: string, hint: string): never {
  throw new OdoroboError(code, message, { hint });
}
