/** A small fleet to be disturbed: manifests, agents as processes, small disks below them, and what must be put back. */
import { spawnSync } from "node:child_process";
import { appendFileSync, cpSync, lstatSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { isAlive, processesOf } from "../test/support/system-leftovers.ts";
import { until } from "../test/support/until.ts";
import { FaultyAgent } from "./agent.ts";
import { doublesIn, guestsOn } from "./host.ts";
import { KeptDisks } from "./kept-disks.ts";
import { Manifests, type Place } from "./manifests.ts";
import { canMount, SmallDisk } from "./small-disk.ts";

export interface FaultyNode extends Place {
  readonly agent: FaultyAgent;
  /** Null where nothing may be mounted: their folders are like any other then. */
  readonly dataDisk: SmallDisk | null;
  readonly runDisk: SmallDisk | null;
  readonly dataFolder: string;
  readonly runFolder: string;
  /** Its data folder is another one right now. */
  isSwapped: boolean;
}

/** Room for records and logs of a dozen VMs; their disks are sparse. */
const DATA_MIB = 24;
const RUN_MIB = 2;
const CACHE_MIB = 2;
const DOUBLES_MS = 120;

export class World {
  readonly scratch: string;
  readonly nodes: readonly FaultyNode[];
  readonly manifests: Manifests;
  readonly disks = new KeptDisks();
  readonly cacheDisk: SmallDisk | null;
  readonly env: NodeJS.ProcessEnv;
  /** Why this seed fails; empty so far. */
  readonly violations: string[] = [];
  readonly #log: string;
  /** Set aside between two rounds: puts back what a fault took away. */
  readonly #undo: { readonly what: string; readonly run: () => Promise<void> }[] = [];
  readonly #watch: NodeJS.Timeout;
  readonly #doubles = new Set<string>();

  constructor(options: { readonly withQemu: boolean; readonly port: number }) {
    this.scratch = mkdtempSync(join(tmpdir(), "odf-"));
    this.#log = join(this.scratch, "faults.log");
    const cache = join(this.scratch, "cache");
    this.cacheDisk = canMount() ? new SmallDisk(cache, CACHE_MIB) : null;
    // For what is planned in this process.
    process.env.XDG_CACHE_HOME = cache;
    process.env.XDG_STATE_HOME = join(this.scratch, "state");
    this.env = {
      PATH: process.env.PATH,
      HOME: this.scratch,
      NODE_ENV: "production",
      NO_COLOR: "1",
      XDG_CACHE_HOME: cache,
      XDG_STATE_HOME: join(this.scratch, "state"),
      NODE_COMPILE_CACHE: join(tmpdir(), "node-compile-cache"),
      GIT_CONFIG_GLOBAL: "/dev/null",
    };
    const kinds = options.withQemu ? (["noop", "noop", "qemu"] as const) : (["noop", "noop", "noop"] as const);
    this.nodes = kinds.map((hypervisor, index) =>
      this.#node(`n${index + 1}`, hypervisor, index === 1 ? options.port : null),
    );
    this.manifests = new Manifests(join(this.scratch, "fleet"), this.nodes);
    this.#watch = setInterval(() => this.#lookForDoubles(), DOUBLES_MS);
  }

  async begin(): Promise<void> {
    await this.manifests.begin();
    await Promise.all(this.nodes.map(({ agent }) => agent.start()));
  }

  get upNodes(): FaultyNode[] {
    return this.nodes.filter(({ agent }) => agent.isUp);
  }

  guests() {
    return guestsOn(this.nodes);
  }

  note(what: string): void {
    appendFileSync(this.#log, `${new Date().toISOString()} ${what}\n`);
  }

  violate(what: string): void {
    this.note(`VIOLATION ${what}`);
    this.violations.push(what);
  }

  /** To be run after the round, or a later one. */
  later(what: string, run: () => Promise<void>): void {
    this.#undo.push({ what, run });
  }

  /** The last that was done is undone first. */
  async putBack(): Promise<void> {
    for (let each = this.#undo.pop(); each !== undefined; each = this.#undo.pop()) {
      this.note(`put back: ${each.what}`);
      await each.run();
    }
  }

  /** Keeps what tells how it came to a violation. Returns where. */
  keepLogs(target: string): string {
    rmSync(target, { recursive: true, force: true });
    cpSync(this.scratch, target, {
      recursive: true,
      // Disks are large, and sockets cannot be copied.
      filter: (path) => !/\/(disks|cache|ballast)(\/|$)/.test(path) && isPlain(path),
    });
    return target;
  }

  /** Ends and removes all that was started, whatever state it is in. */
  async end(): Promise<void> {
    clearInterval(this.#watch);
    for (const { agent } of this.nodes) await agent.kill();
    const left = await processesOf(this.scratch);
    for (const { pid } of left) spawnSync("kill", ["-KILL", String(pid)]);
    await until("all its processes are gone", () => left.every(({ pid }) => !isAlive(pid)), 30_000);
    for (const { dataDisk, runDisk } of this.nodes) for (const disk of [dataDisk, runDisk]) disk?.unmount();
    this.cacheDisk?.unmount();
    rmSync(this.scratch, { recursive: true, force: true });
  }

  #node(name: string, hypervisor: Place["hypervisor"], port: number | null): FaultyNode {
    const folder = join(this.scratch, name);
    const mounted = (path: string, sizeMiB: number) => (canMount() ? new SmallDisk(path, sizeMiB) : null);
    const dataDisk = mounted(join(folder, "m"), DATA_MIB);
    const runDisk = mounted(join(folder, "t"), RUN_MIB);
    const [dataFolder, runFolder] = [join(folder, "m/d"), join(folder, "t/r")];
    mkdirSync(dataFolder, { recursive: true, mode: 0o700 });
    mkdirSync(runFolder, { recursive: true, mode: 0o700 });
    const socket = join(folder, "s");
    const flags = [
      ...["--hypervisor", hypervisor, "--supervisor=spawn", "--accelerator=tcg", "--cpus=64", "--memory=64GiB"],
      ...["--rate-limit=0", "--log-level=info", "--log-format=text", `--hooks=${join(folder, "hooks")}`],
    ];
    const place = {
      name,
      socket,
      port,
      dataFolder,
      runFolder,
      logFile: join(folder, "agent.log"),
      flags,
      env: this.env,
    };
    const agent = new FaultyAgent(place, (what) => this.violate(what));
    const room = hypervisor === "qemu" ? 2 : 5;
    return {
      name,
      url: agent.url,
      hypervisor,
      room,
      agent,
      dataDisk,
      runDisk,
      dataFolder,
      runFolder,
      isSwapped: false,
    };
  }

  #lookForDoubles(): void {
    for (const double of doublesIn(this.guests())) {
      if (this.#doubles.has(double)) continue;
      this.#doubles.add(double);
      this.violate(double);
    }
  }
}

function isPlain(path: string): boolean {
  const facts = lstatSync(path, { throwIfNoEntry: false });
  return facts?.isFile() === true || facts?.isDirectory() === true;
}
