/**
 * The servers that hand out addresses and answer for names: one dnsmasq for each network that has one, kept by the node's supervisor beside
 * the guests, so that it outlives the agent as they do.
 *
 * Invariant: which configuration a server was started with is in the names of its files. One that is to say something else is started anew: it keeps
 * nothing that guests would miss, because every lease is in its configuration.
 */
import { mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { digestOfText } from "../../../model/digest.ts";
import { OdoroboError } from "../../../model/errors.ts";
import { type LaunchCommand, NEEDS_NOTHING } from "../../launch-command.ts";
import type { ProcessHandle, Supervisor } from "../../supervisor/supervisor.ts";

interface Server {
  readonly process: ProcessHandle;
  readonly digest: string;
}

const START_MS = 10_000;
const POLL_MS = 10;
const STOP_MS = 2_000;
const FILE = /^dnsmasq-([0-9a-f]{16})\.(conf|log)$/;

export class NameServers {
  readonly #root: string;
  readonly #supervisor: Supervisor;
  /** By bridge; null: nobody has looked yet. */
  #servers: Map<string, Server> | null = null;

  constructor({ runFolder, supervisor }: { readonly runFolder: string; readonly supervisor: Supervisor }) {
    this.#root = join(runFolder, "networks");
    this.#supervisor = supervisor;
  }

  /** Why it had to be started; null: it was there. Rejects with UNSUPPORTED or HYPERVISOR_FAILED. */
  async ensure(bridge: string, config: string, signal: AbortSignal): Promise<string | null> {
    const servers = await this.#known();
    const digest = digestOfText(config).slice(0, 16);
    const before = servers.get(bridge);
    const runs = before !== undefined && this.#supervisor.isRunning(before.process);
    if (runs && before.digest === digest) return null;
    if (before !== undefined) await this.#stop(bridge, before);
    const command = await this.#prepare(bridge, digest, config);
    const process = await this.#supervisor.start(bridge, command, signal).catch((cause: unknown) => {
      throw new OdoroboError("UNSUPPORTED", "the server for its guests' addresses and names could not be started", {
        cause,
        hint: "is dnsmasq on the node? apt-get install dnsmasq-base",
      });
    });
    servers.set(bridge, { process, digest });
    await this.#untilItServes(bridge, process, command.outputFile, signal);
    return runs || before === undefined ? "its server was to say something else" : "its server was gone";
  }

  /** Those of no bridge among these. */
  async keepOnly(bridges: ReadonlySet<string>): Promise<readonly string[]> {
    const ended: string[] = [];
    for (const [bridge, server] of await this.#known()) {
      if (bridges.has(bridge)) continue;
      await this.#stop(bridge, server);
      ended.push(bridge);
    }
    for (const folder of await readdir(this.#root).catch(() => []))
      if (!bridges.has(folder)) await rm(join(this.#root, folder), { recursive: true, force: true });
    if (bridges.size === 0) await rm(this.#root, { recursive: true, force: true });
    return ended;
  }

  /** Of an earlier life of the agent's, too. */
  async #known(): Promise<Map<string, Server>> {
    if (this.#servers !== null) return this.#servers;
    const servers = new Map<string, Server>();
    // Not by their working folders, as guests: dnsmasq leaves its own.
    for (const bridge of await readdir(this.#root).catch(() => []))
      for (const name of await readdir(join(this.#root, bridge)).catch(() => [])) {
        const [, digest, ending] = FILE.exec(name) ?? [];
        if (digest === undefined || ending !== "log") continue;
        const process = await this.#supervisor.find(bridge, this.#command(bridge, digest));
        if (process !== null) servers.set(bridge, { process, digest });
      }
    this.#servers = servers;
    return servers;
  }

  async #stop(bridge: string, { process }: Server): Promise<void> {
    await this.#supervisor.stop(process, STOP_MS);
    this.#servers?.delete(bridge);
  }

  async #prepare(bridge: string, digest: string, config: string): Promise<LaunchCommand> {
    const folder = join(this.#root, bridge);
    await mkdir(folder, { recursive: true, mode: 0o700 });
    for (const file of await readdir(folder)) if (FILE.test(file)) await rm(join(folder, file), { force: true });
    const command = this.#command(bridge, digest);
    await writeFile(command.needs.reads[0] as string, config, { mode: 0o600 });
    return command;
  }

  #command(bridge: string, digest: string): LaunchCommand {
    const folder = join(this.#root, bridge);
    const file = (ending: string) => join(folder, `dnsmasq-${digest}.${ending}`);
    return {
      kind: "dnsmasq",
      executable: "dnsmasq",
      args: [
        ...["--keep-in-foreground", `--conf-file=${file("conf")}`, "--log-facility=-", "--pid-file="],
        // There it has no more than the capabilities below anyway, and none to become somebody else.
        ...(this.#supervisor.kind === "systemd" ? ["--user=root"] : []),
      ],
      env: {},
      workingFolder: folder,
      outputFile: file("log"),
      staleFiles: [],
      needs: {
        ...NEEDS_NOTHING,
        reads: [file("conf")],
        capabilities: ["NET_ADMIN", "NET_RAW", "NET_BIND_SERVICE"],
      },
    };
  }

  async #untilItServes(bridge: string, process: ProcessHandle, log: string, signal: AbortSignal): Promise<void> {
    const until = performance.now() + START_MS;
    for (;;) {
      const said = await readFile(log, "utf8").catch(() => "");
      if (/started, version/.test(said)) return;
      if (!this.#supervisor.isRunning(process) || performance.now() > until) {
        await this.#supervisor.stop(process, 0);
        this.#servers?.delete(bridge);
        const last = said.trim().split("\n").at(-1) ?? "";
        throw new OdoroboError(
          "HYPERVISOR_FAILED",
          `dnsmasq on ${bridge} did not start: ${last || "it said nothing"}`,
          {
            hint: /in use/.test(last)
              ? "another DHCP or name server of this node has all its addresses: let that one listen on its own interfaces only (bind-dynamic)"
              : "look at what it said; what the agent needs: docs/networks.md",
          },
        );
      }
      await sleep(POLL_MS, undefined, { signal });
    }
  }
}
