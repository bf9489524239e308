/**
 * What is seen of one fleet now, for those who look at it: gathered when its loop plans, and while it applies. Rows are made when somebody
 * looks, and once for all of them; who has looked before is told what is another since.
 *
 *   fleet-view.ts → [fleet-sight.ts] → report/gateway/ (rows) → http/ (routes), event-log.ts (`event: fleet`)
 *
 * Invariant: a tag is the same as long as all rows are. What it costs goes by what has changed, not by who looks.
 */
import type { Instant, NodeName, VmName } from "../../../model/names.ts";
import type { ObservedState } from "../../../model/observed-state.ts";
import type { Clock } from "../../../platform/clock.ts";
import type { FleetNews, NodeRow, VmRow } from "../../../report/gateway/page-documents.ts";
import type { Sighting, Silence } from "../../../report/gateway/sighting.ts";
import { toNodeRows } from "../../../report/gateway/to-node-rows.ts";
import { toVmRows } from "../../../report/gateway/to-vm-rows.ts";
import type { PlannedFleet } from "../../../turn/plan-fleet.ts";

/** Between two tellings of one fleet. */
const TELL_MS = 1_000;
/** More rows than that are read by who wants them: one telling of them goes to every page. */
const TOLD_ROWS = 200;
/** Names that are gone, for those who come back. */
const KEPT_GONE = 1_000;

export interface SightOptions {
  readonly clock: Clock;
  /** Tags of another life of this process are of no use here. */
  readonly life: string;
  /** Called at most once a second, only when something is another and somebody listens. */
  readonly onNews: (news: FleetNews, at: Instant) => void;
  readonly isHeard: () => boolean;
}

interface KeptRow {
  readonly row: VmRow;
  readonly text: string;
  /** When it became what it is. */
  readonly version: number;
}

export interface VmRows {
  readonly tag: string;
  readonly since: string | null;
  readonly vms: readonly VmRow[];
  readonly gone: readonly VmName[];
}

export class FleetSight implements Disposable {
  readonly #options: SightOptions;
  #sighting: Sighting | null = null;
  #fleet: PlannedFleet["fleet"] | null = null;
  /** Of VMs that are not named any more. */
  readonly #oldFiles = new Map<VmName, string>();
  #isDue = false;
  #silence: ReadonlyMap<NodeName, Silence> = new Map();
  readonly #rows = new Map<VmName, KeptRow>();
  readonly #gone = new Map<VmName, number>();
  #nodes: { readonly rows: readonly NodeRow[]; readonly text: string; readonly version: number } | null = null;
  #version = 0;
  /** Who knows less than this has missed names that are gone. */
  #floor = 0;
  #told = 0;
  #timer: NodeJS.Timeout | null = null;
  #tellAt = Number.NEGATIVE_INFINITY;

  constructor(options: SightOptions) {
    this.#options = options;
  }

  /** A plan was made of this. */
  planned({ plan, fleet, observed }: Pick<PlannedFleet, "plan" | "fleet" | "observed">): void {
    this.#noteFiles(fleet);
    this.#fleet = fleet;
    this.#put({ desired: fleet.desired, observed, plan, silence: this.#remember(observed) });
  }

  /** The agents were asked, and nothing was planned. */
  glanced(observed: ObservedState): void {
    if (this.#sighting === null) return;
    this.#put({ ...this.#sighting, observed, silence: this.#remember(observed) });
  }

  /** Null: nothing was seen yet. */
  get sighting(): Sighting | null {
    return this.#sighting;
  }

  /** As its manifests are; null: nothing was planned yet. */
  get fleet(): PlannedFleet["fleet"] | null {
    return this.#fleet;
  }

  /** The file that a VM is written in, or was while it was named; null: not known. */
  fileOf(name: VmName): string | null {
    const vm = this.#fleet?.desired.vms.find((each) => each.name === name);
    return vm === undefined ? (this.#oldFiles.get(name) ?? null) : (vm.source?.file ?? null);
  }

  #noteFiles({ desired }: PlannedFleet["fleet"]): void {
    const before = this.#fleet?.desired.vms ?? [];
    if (before === desired.vms) return;
    const named = new Set(desired.vms.map(({ name }) => name));
    for (const { name, source } of before)
      if (!named.has(name) && source !== null) this.#oldFiles.set(name, source.file);
    for (const name of this.#oldFiles.keys()) if (this.#oldFiles.size > KEPT_GONE) this.#oldFiles.delete(name);
  }

  /** Those that did not answer when they were last asked, and since when. */
  get silence(): ReadonlyMap<NodeName, Silence> {
    return this.#silence;
  }

  get tag(): string {
    this.#refresh();
    return this.#tagOf(this.#version);
  }

  /** It was given here before, and what is another since can be told. */
  knows(tag: string): boolean {
    return this.#versionOf(tag) !== null;
  }

  /** `since`: a tag that was given before; one that is not known any more is as none. */
  vms(since: string | null): VmRows {
    const { tag } = this;
    const version = since === null ? null : this.#versionOf(since);
    const all = [...this.#rows.values()];
    if (version === null) return { tag, since: null, vms: all.map(({ row }) => row), gone: [] };
    return {
      ...{ tag, since },
      vms: all.filter((each) => each.version > version).map(({ row }) => row),
      gone: [...this.#gone].flatMap(([name, at]) => (at > version ? [name] : [])),
    };
  }

  /** Null: there is none of that name. */
  vm(name: string): VmRow | null {
    this.#refresh();
    return this.#rows.get(name as VmName)?.row ?? null;
  }

  nodes(): readonly NodeRow[] {
    this.#refresh();
    return this.#nodes?.rows ?? [];
  }

  /** For who begins to listen: what it may have missed is to be read. Null: nothing was seen yet. */
  headline(): FleetNews | null {
    if (this.#sighting === null) return null;
    const { tag } = this;
    // Who listens already has not been told of this version, it may be.
    if (!this.#options.isHeard()) this.#told = this.#version;
    return { event: "fleet", tag, since: null, vms: null, gone: [], nodes: null };
  }

  #put(sighting: Sighting): void {
    this.#sighting = sighting;
    this.#isDue = true;
    if (this.#timer !== null || !this.#options.isHeard()) return;
    const wait = Math.max(0, this.#tellAt + TELL_MS - this.#options.clock.monotonicMs());
    this.#timer = setTimeout(() => this.#tell(), wait).unref();
  }

  #tell(): void {
    this.#timer = null;
    this.#tellAt = this.#options.clock.monotonicMs();
    const before = this.#told;
    const { tag } = this;
    if (this.#version === before) return;
    this.#told = this.#version;
    const { vms, gone, since } = this.vms(this.#tagOf(before));
    const isMuch = vms.length > TOLD_ROWS || since === null;
    const nodes = this.#nodes !== null && this.#nodes.version > before ? this.#nodes.rows : null;
    const isManyNodes = nodes !== null && nodes.length > TOLD_ROWS;
    const news: FleetNews = {
      ...{ event: "fleet", tag, since: isMuch || isManyNodes ? null : since },
      ...{ vms: isMuch ? null : vms, gone: isMuch ? [] : gone, nodes: isManyNodes ? null : nodes },
    };
    this.#options.onNews(news, this.#options.clock.now());
  }

  /** Rows that came out the same keep their version. */
  #refresh(): void {
    const sighting = this.#sighting;
    if (!this.#isDue || sighting === null) return;
    this.#isDue = false;
    const next = this.#version + 1;
    const rows = toVmRows(sighting);
    let isAnother = false;
    const left = new Set(this.#rows.keys());
    // Deleted and put again: the map stays in the order of the names.
    const before = new Map(this.#rows);
    this.#rows.clear();
    for (const row of rows) {
      const text = JSON.stringify(row);
      const known = before.get(row.name);
      left.delete(row.name);
      this.#gone.delete(row.name);
      const isSame = known?.text === text;
      isAnother ||= !isSame;
      this.#rows.set(row.name, isSame ? known : { row, text, version: next });
    }
    for (const name of left) {
      this.#gone.set(name, next);
      isAnother = true;
    }
    this.#forgetGone();
    const nodes = toNodeRows(sighting, this.#options.clock.now());
    const text = JSON.stringify(nodes);
    if (this.#nodes?.text !== text) {
      this.#nodes = { rows: nodes, text, version: next };
      isAnother = true;
    }
    if (isAnother) this.#version = next;
  }

  #forgetGone(): void {
    for (const [name, version] of this.#gone) {
      if (this.#gone.size <= KEPT_GONE) return;
      this.#gone.delete(name);
      this.#floor = Math.max(this.#floor, version);
    }
  }

  #remember(observed: ObservedState): ReadonlyMap<NodeName, Silence> {
    const answered = new Map(
      this.#sighting?.observed.nodes.flatMap((node) =>
        node.reach === "answered" ? [[node.name, node.report] as const] : [],
      ),
    );
    const now = this.#options.clock.now();
    this.#silence = new Map(
      observed.nodes
        .filter(({ reach }) => reach === "silent")
        .map(({ name }) => [name, this.#silence.get(name) ?? { since: now, last: answered.get(name) ?? null }]),
    );
    return this.#silence;
  }

  #tagOf(version: number): string {
    return `${this.#options.life}-${version}`;
  }

  #versionOf(tag: string): number | null {
    const [life, text = ""] = tag.split("-");
    if (life !== this.#options.life || !/^\d{1,15}$/.test(text)) return null;
    const version = Number(text);
    return version < this.#floor || version > this.#version || version === 0 ? null : version;
  }

  [Symbol.dispose](): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
  }
}
