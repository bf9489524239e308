/** Every VM document with what lies underneath it → its spec, its placement, and where to find what was written. */

import type { DesiredVm } from "../../model/desired-state.ts";
import { byName, type Digest, vmName } from "../../model/names.ts";
import type { Diagnostic, DiagnosticCode } from "../text/diagnostic.ts";
import type { Segments } from "../text/places.ts";
import { diagnose, type Finding, type ReportField, type SourceDocument } from "../text/source-document.ts";
import { checkBetweenVms, withGroups, withMacs } from "./between-vms.ts";
import { buildPlacement, buildSpec } from "./build-vm.ts";
import { buildWindows } from "./build-windows.ts";
import type { BuiltVm } from "./built-vm.ts";
import type { Catalog } from "./catalog.ts";
import { checkAbilities, SizeCheck } from "./check-abilities.ts";
import { checkCloudHypervisor } from "./check-cloud-hypervisor.ts";
import { SshKeysCheck } from "./check-ssh-keys.ts";
import { buildIgnore, checkPassthrough, PlacementCheck } from "./check-vm.ts";
import { UserDataCheck } from "./cloud-init/check-user-data.ts";
import { hasWords } from "./cloud-init/compose.ts";
import { resolveCloudInit } from "./cloud-init/resolve-cloud-init.ts";
import type { ResolvedVm } from "./kept-reading.ts";
import { type Layer, type LayerContext, type LayerValues, spellOut } from "./layer.ts";
import { mergeLayers } from "./merge-layers.ts";
import { checkPorts } from "./networks/check-ports.ts";
import { Profiles, type Underneath } from "./profiles.ts";
import type { ReadingMemory, RememberedVm } from "./reading-memory.ts";
import { checkReferences } from "./references.ts";
import type { UserTexts } from "./user-texts.ts";
import { VmInputs } from "./vm-inputs.ts";
import { findPointer, findWritten, positionOf, type WrittenLayer } from "./where-is.ts";

export interface ResolveContext {
  readonly texts: UserTexts;
  readonly report: (found: Diagnostic) => void;
  /** What a VM that was made from the same came to before, without a mistake of its own. */
  readonly before: (key: Digest) => ResolvedVm | undefined;
  /** Of who reads a fleet again and again; null: nobody does. */
  readonly memory: ReadingMemory | null;
}

/** `fleet`: the name that MAC addresses are derived from. Sorted by name. */
export function resolveVms(catalog: Catalog, fleet: string, context: ResolveContext): BuiltVm[] {
  const resolver = new Resolver(catalog, context);
  const built = catalog
    .all("VirtualMachine")
    .sort((a, b) => byName(a.content.metadata.name, b.content.metadata.name))
    .map((document) => resolver.build(document));
  const reportAbout = (vm: BuiltVm, at: Segments, finding: Finding) => resolver.reportAbout(vm.layers, at, finding);
  const images = catalog
    .all("Image")
    .flatMap(({ content: { metadata, spec } }) => (spec.path ? [{ image: metadata.name, path: spec.path }] : []));
  checkBetweenVms(built, images, reportAbout);
  checkPorts(built, [...catalog.names("Node")], reportAbout);
  return withGroups(withMacs(fleet, built, reportAbout, context.memory), reportAbout);
}

/** What seems to be missing may be what was refused already. */
const ABOUT_WHAT_IS_MISSING: ReadonlySet<DiagnosticCode> = new Set(["missing-field", "nothing-to-boot"]);

class Resolver {
  readonly #catalog: Catalog;
  readonly #texts: UserTexts;
  readonly #report: (found: Diagnostic) => void;
  /** How often it was called. */
  #reports = 0;
  readonly #before: ResolveContext["before"];
  readonly #memory: ReadingMemory | null;
  readonly #inputs: VmInputs;
  readonly #profiles: Profiles;
  readonly #placements: PlacementCheck;
  readonly #sshKeys: SshKeysCheck;
  readonly #userData: UserDataCheck;
  readonly #sizes: SizeCheck;
  /** Documents of which something was refused. */
  readonly #troubled = new Set<SourceDocument>();

  constructor(catalog: Catalog, { texts, report, before, memory }: ResolveContext) {
    this.#catalog = catalog;
    this.#texts = texts;
    this.#report = (found) => {
      this.#reports++;
      report(found);
    };
    this.#before = before;
    // What is missing because it could not be read may be what a VM was checked against.
    this.#memory = catalog.isIncomplete ? null : memory;
    this.#inputs = new VmInputs(catalog);
    this.#placements = new PlacementCheck(catalog);
    this.#sizes = new SizeCheck(texts);
    this.#sshKeys = new SshKeysCheck(texts);
    this.#userData = new UserDataCheck(texts);
    this.#profiles = new Profiles(catalog, (document, at) => this.#toLayer(document, at), this.#report);
  }

  build(document: SourceDocument): BuiltVm {
    const below = this.#profiles.underneath((document.content as VmDocument).spec.profile);
    if (this.#memory === null) return this.#build(document, below, []);
    const common = this.#inputs.common;
    const belowDigest = this.#inputs.belowOf(below);
    const known = this.#memory.vm(document);
    if (known !== undefined && known.common === common && known.below === belowDigest && this.#isAsBefore(known, below))
      return known.built;
    const texts: [string, Digest][] = [];
    const before = this.#reports;
    const built = this.#build(document, below, texts);
    const documentsBelow = below.layers.map((layer) => layer.document);
    if (this.#reports === before)
      this.#memory.remember(document, { built, common, below: belowDigest, documentsBelow, texts });
    return built;
  }

  /** Its texts are asked for whatever comes of it: so they count as referred to. */
  #isAsBefore({ built, documentsBelow, texts }: RememberedVm, { layers }: Underneath): boolean {
    const path = built.layers[0]?.document.file.path ?? "";
    const found = texts.map(([written, digest]) => this.#texts.digestOf(written, path) === digest);
    return (
      found.every(Boolean) &&
      layers.length === documentsBelow.length &&
      layers.every((layer, index) => layer.document === documentsBelow[index])
    );
  }

  /** `texts`: what it names is noted there. */
  #build(document: SourceDocument, below: Underneath, texts: [string, Digest][]): BuiltVm {
    const content = document.content as VmDocument;
    const own = this.#toLayer(document, ["spec"], (written, digest) => texts.push([written, digest]));
    const layers: WrittenLayer[] = [{ document, at: own.at }, ...below.layers];
    const inputs = this.#inputs.keyOf(content, own, below);
    let key: Digest | null = inputs;
    const report: ReportField = (at, finding) => {
      key = null;
      this.reportAbout(layers, at, finding);
    };
    const values = this.#withTexts(own, below, report, texts);
    const resolved =
      this.#before(inputs) ?? this.#resolve(content, values ?? mergeLayers(below.values, own.values), report);
    const written = layers.reduce((sum, { document }) => sum + document.file.length, 0);
    this.#sizes.check(resolved.spec, written, report);
    const derivedMacs = resolved.spec.nics.filter(({ mac }) => mac === "").map(({ name }) => name);
    return { name: vmName(content.metadata.name), layers, ...resolved, derivedMacs, key };
  }

  /** What cloudInit says in words becomes a text, which must be there whatever is known of before. Null: it says nothing in words. */
  #withTexts(own: Layer, below: Underneath, report: ReportField, texts: [string, Digest][]): LayerValues | null {
    const isSaid = [own.values, below.values].some(
      ({ cloudInit }) => hasWords(cloudInit) || cloudInit?.metaData != null,
    );
    if (!isSaid) return null;
    const merged = mergeLayers(below.values, own.values);
    return resolveCloudInit(merged, this.#texts, report, (text, digest) => texts.push([text, digest]));
  }

  /** From nothing but what `VmInputs` makes a key of: what else is looked at must be looked at each time. */
  #resolve(content: VmDocument, values: LayerValues, report: ReportField): ResolvedVm {
    const { labels, annotations } = content.metadata;
    const spec = buildSpec({ labels, annotations, values, catalog: this.#catalog, report });
    let isSound = true;
    const placement = buildPlacement(values, (at, finding) => {
      isSound = false;
      report(at, finding);
    });
    // A rule that makes no sense is met by nobody: that is no second mistake.
    if (isSound) this.#placements.check(placement, spec.labels, report);
    checkPassthrough(content.spec, spec, report);
    checkCloudHypervisor(spec, report);
    checkAbilities(spec, report);
    this.#sshKeys.check(spec, report);
    this.#userData.check(spec, report);
    const windows = buildWindows(values.windows, { at: ["windows"], report, whereIs: () => null });
    return { spec, placement, windows, ignore: buildIgnore(values.ignore, report) };
  }

  /** Where the value was written; for what was not, at the VM's name. */
  reportAbout(layers: readonly WrittenLayer[], at: Segments, finding: Finding): void {
    // It may stand in the file that could not be read.
    if (ABOUT_WHAT_IS_MISSING.has(finding.code) && this.#catalog.isIncomplete) return;
    if (ABOUT_WHAT_IS_MISSING.has(finding.code) && layers.some(({ document }) => this.#troubled.has(document))) return;
    let written = null;
    for (let length = at.length; length > 0 && written === null; length--)
      written = findWritten(layers, at.slice(0, length));
    const [top] = layers;
    if (written !== null) this.#report(diagnose(written.document, written.at, finding));
    else if (top !== undefined) this.#report(diagnose(top.document, ["metadata", "name"], finding));
  }

  #toLayer(document: SourceDocument, at: Segments, named?: (written: string, digest: Digest) => void): Layer {
    const spec = specAt(document, at);
    if (document.isBroken) this.#troubled.add(document);
    const report = (where: Segments, finding: Finding) => {
      this.#troubled.add(document);
      this.#report(diagnose(document, where, finding));
    };
    checkReferences(document, at, spec, this.#catalog, (found) => {
      this.#troubled.add(document);
      this.#report(found);
    });
    checkNames(spec, at, report);
    const context: LayerContext = {
      report,
      textDigest: (where, text) => {
        const found = this.#texts.digestOf(text, document.file.path);
        if (typeof found === "string") {
          named?.(text, found);
          return found;
        }
        report(where, found);
        return null;
      },
    };
    return { document, at, values: spellOut(spec, at, context) };
  }
}

type VmDocument = Extract<SourceDocument["content"], { kind: "VirtualMachine" }>;
type SpecLike = Parameters<typeof checkReferences>[2];

function specAt(document: SourceDocument, at: Segments): SpecLike {
  let current: unknown = document.content;
  for (const segment of at) current = (current as Record<string | number, unknown> | null | undefined)?.[segment];
  return (current ?? {}) as SpecLike;
}

function checkNames(spec: SpecLike, at: Segments, report: (at: Segments, finding: Finding) => void): void {
  for (const list of ["disks", "nics"] as const) {
    const seen = new Set<string>();
    for (const [index, { name }] of (spec[list] ?? []).entries()) {
      if (seen.has(name)) {
        const message = `there are two ${list} named ${name}`;
        report([...at, list, index, "name"], { code: "duplicate-name", message, hint: "give one another name" });
      }
      seen.add(name);
    }
  }
}

export function toDesired({ name, layers, spec, placement, windows, ignore }: BuiltVm): DesiredVm {
  const [top] = layers;
  return {
    name,
    spec,
    placement,
    ...(windows.length === 0 ? {} : { windows }),
    ignore,
    source: top === undefined ? null : positionOf({ document: top.document, at: ["metadata", "name"] }),
    whereIs: (pointer) => {
      const written = findPointer(layers, pointer);
      return written === null ? null : positionOf(written);
    },
  };
}
