/**
 * One layer of a VM: the fleet's defaults, a profile, or the VM's own document. Short forms are spelled out, sizes and
 * durations are numbers, texts are digests, so that layers can be merged without looking at how they were written.
 *
 *   documents → [layer.ts] → merge-layers.ts → build-vm.ts → VmSpec
 */
import type {
  DiskManifest,
  GuestFileManifest,
  NicManifest,
  VirtualMachineBoot,
  VirtualMachineCloudInit,
  VirtualMachineMigration,
  VirtualMachinePlacement,
  VirtualMachineReady,
  VirtualMachineSpec,
  WindowManifest,
} from "../../model/documents.ts";
import type { Digest } from "../../model/names.ts";
import type { Segments } from "../text/places.ts";
import type { SourceDocument } from "../text/source-document.ts";
import { parseDurationMs, parseDurationSeconds, parseSizeMiB, type Quantity } from "./quantities.ts";
import { isPath } from "./user-texts.ts";

export interface Layer {
  readonly document: SourceDocument;
  /** Where the spec begins in the document: `spec` or `spec.defaults`. */
  readonly at: Segments;
  readonly values: LayerValues;
}

/** Left out: says nothing. null: as if the layers below said nothing. */
export interface LayerValues {
  hypervisor?: VirtualMachineSpec["hypervisor"];
  runStrategy?: VirtualMachineSpec["runStrategy"];
  placement?: VirtualMachinePlacement;
  cpus?: { count?: number | null; max?: number | null } | null;
  memory?: { size?: number | null; max?: number | null } | null;
  boot?: VirtualMachineBoot;
  disks?: DiskValues[] | null;
  nics?: NicManifest[] | null;
  cloudInit?: {
    userData?: Digest | null;
    networkConfig?: Digest | null;
    vendorData?: Digest | null;
    sshKeys?: string[] | null;
    instance?: string | null;
    user?: string | null;
    password?: { hash: string } | null;
    hostname?: string | null;
    timezone?: string | null;
    packages?: string[] | null;
    /** A file that was beside the manifest is its digest here. */
    files?: (Omit<GuestFileManifest, "content"> & { content?: string; contentDigest?: Digest })[] | null;
    runcmd?: (string | string[])[] | null;
    growRoot?: boolean | null;
    metaData?: Readonly<Record<string, string>> | null;
    /** Made of `metaData`, after merging. */
    metaDataText?: Digest;
  } | null;
  ready?: (Omit<NonNullable<VirtualMachineReady>, "timeout"> & { timeout?: number | null }) | null;
  migration?:
    | (Pick<NonNullable<VirtualMachineMigration>, "mode"> & { downtime?: number | null; timeout?: number | null })
    | null;
  onDrain?: VirtualMachineSpec["onDrain"];
  windows?: WindowManifest[] | null;
  group?: string | null;
  protect?: boolean | null;
  ignore?: string[] | null;
  retain?: { disks?: number | null; moved?: number | null } | null;
  shutdownGrace?: number | null;
  weights?: VirtualMachineSpec["weights"];
  cloudHypervisor?: VirtualMachineSpec["cloudHypervisor"];
  qemu?: VirtualMachineSpec["qemu"];
}

export type DiskValues = Omit<DiskManifest, "size"> & { size?: number | null };

/** What a layer needs of the rest of the fleet; each reports for itself what it cannot give. */
export interface LayerContext {
  report(
    at: Segments,
    finding: { code: "bad-size" | "bad-duration" | "conflicting-fields"; message: string; hint: string },
  ): void;
  /** `text` is a text or the path of a file beside the document. */
  textDigest(at: Segments, text: string): Digest | null;
}

type Written = Omit<VirtualMachineSpec, "profile">;
type Spell<Key extends keyof Written> = (
  value: NonNullable<Written[Key]>,
  at: Segments,
  context: LayerContext,
) => unknown;

/** How each field is spelled out. Add a field to the schema, and the compiler asks for it here. */
const SPELL: { readonly [Key in keyof Required<Omit<Written, "image" | "size">>]: Spell<Key> } = {
  hypervisor: asWritten,
  runStrategy: asWritten,
  placement: asWritten,
  cpus: (cpus) => (typeof cpus === "number" ? { count: cpus } : cpus),
  memory: (memory, at, context) =>
    typeof memory === "string"
      ? { size: quantity(parseSizeMiB, memory, at, context) }
      : withNumbers(memory, { size: parseSizeMiB, max: parseSizeMiB }, at, context),
  boot: asWritten,
  disks: (disks, at, context) =>
    disks.map((disk, index) => withNumbers(disk, { size: parseSizeMiB }, [...at, index], context)),
  nics: asWritten,
  cloudInit: spellCloudInit,
  ready: (ready, at, context) => withNumbers(ready, { timeout: parseDurationSeconds }, at, context),
  migration: (migration, at, context) =>
    withNumbers(migration, { downtime: parseDurationMs, timeout: parseDurationSeconds }, at, context),
  onDrain: asWritten,
  windows: asWritten,
  group: asWritten,
  protect: asWritten,
  ignore: asWritten,
  retain: (retain, at, context) =>
    withNumbers(retain, { disks: parseDurationSeconds, moved: parseDurationSeconds }, at, context),
  shutdownGrace: (grace, at, context) => quantity(parseDurationSeconds, grace, at, context),
  weights: asWritten,
  cloudHypervisor: asWritten,
  qemu: asWritten,
};

export function spellOut(spec: Written, at: Segments, context: LayerContext): LayerValues {
  const values: Record<string, unknown> = {};
  for (const key of Object.keys(spec) as (keyof Written)[]) {
    if (key === "image" || key === "size" || !Object.hasOwn(SPELL, key)) continue;
    const value = spec[key];
    if (value === undefined) continue;
    const spell = SPELL[key] as Spell<typeof key>;
    values[key] = value === null ? null : spell(value as never, [...at, key], context);
  }
  const root = rootDisk(spec, at, context);
  if (root !== null) values.disks = withRoot(root, values.disks as DiskValues[] | null | undefined, at, context);
  return values as LayerValues;
}

/** `image` and `size` of the spec: short for a disk named root. */
function rootDisk({ image, size }: Written, at: Segments, context: LayerContext): DiskValues | null {
  if (image === undefined && size === undefined) return null;
  const disk: DiskValues = { name: "root" };
  if (image !== undefined) disk.image = image;
  if (size !== undefined) disk.size = size === null ? null : quantity(parseSizeMiB, size, [...at, "size"], context);
  return disk;
}

function withRoot(root: DiskValues, disks: DiskValues[] | null | undefined, at: Segments, context: LayerContext) {
  if (disks?.some(({ name }) => name === "root")) {
    const hint = "write its image and size in the list";
    const message = "the disk root is written twice: in disks, and as image and size of the spec";
    context.report([...at, root.image === undefined ? "size" : "image"], { code: "conflicting-fields", message, hint });
    return disks;
  }
  return [root, ...(disks ?? [])];
}

function spellCloudInit(cloudInit: NonNullable<VirtualMachineCloudInit>, at: Segments, context: LayerContext) {
  const spelled: Record<string, unknown> = { ...cloudInit };
  for (const key of ["userData", "networkConfig", "vendorData"] as const) {
    const text = cloudInit[key];
    if (typeof text === "string") spelled[key] = context.textDigest([...at, key], text);
  }
  if (cloudInit.files)
    spelled.files = cloudInit.files.map((file, index) => spellFile(file, [...at, "files", index], context));
  return spelled;
}

function spellFile({ content, ...file }: GuestFileManifest, at: Segments, context: LayerContext) {
  if (!isPath(content)) return { ...file, content };
  const contentDigest = context.textDigest([...at, "content"], content);
  return contentDigest === null ? { ...file, content: "" } : { ...file, contentDigest };
}

function asWritten(value: unknown): unknown {
  return value;
}

type Parse = (text: string) => Quantity;

function withNumbers(
  record: object,
  parsers: Readonly<Record<string, Parse>>,
  at: Segments,
  context: LayerContext,
): Record<string, unknown> {
  const spelled: Record<string, unknown> = { ...record };
  for (const [key, parse] of Object.entries(parsers)) {
    const text = spelled[key];
    if (typeof text === "string") spelled[key] = quantity(parse, text, [...at, key], context);
  }
  return spelled;
}

/** Null, as if it had not been written, when it cannot be read: the mistake is reported once, here. */
function quantity(parse: Parse, text: string, at: Segments, context: LayerContext): number | null {
  const parsed = parse(text);
  if (parsed.ok) return parsed.value;
  const { message, hint } = parsed;
  context.report(at, { code: parse === parseSizeMiB ? "bad-size" : "bad-duration", message, hint });
  return null;
}
