/**
 * Who keeps the guests of a watched folder: the agents that its Nodes name; where there is one node, on this machine, and nobody answers
 * for it, an agent of this process takes its place, at its address: others find it there, too.
 */
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { AgentSettings } from "../../../agent/config.ts";
import type { RunningAgent } from "../../../agent/main.ts";
import type { DesiredNode } from "../../../model/desired-state.ts";
import { isOdoroboError, OdoroboError } from "../../../model/errors.ts";
import type { Logger } from "../../../platform/logger.ts";
import { stateFolder } from "../../../platform/state-folder.ts";
import type { AgentAccess } from "../../../turn/connect-agents.ts";
import type { Fleet } from "../../../turn/read-fleet.ts";
import { connectAgent } from "../../../wire/client.ts";

/** Whoever is there on this machine answers at once. */
const PROBE_MS = 2_000;

export interface KeeperOptions {
  /** As `--agent` said: its node is the fleet's one. */
  readonly url: string | undefined;
  readonly data: string | undefined;
  readonly run: string | undefined;
  readonly access: AgentAccess;
  readonly onStart: (agent: { readonly node: string; readonly address: string }) => void;
  readonly log: Logger;
}

export class Keepers implements AsyncDisposable {
  readonly #options: KeeperOptions;
  #agent: RunningAgent | null = null;
  #isSettled = false;

  constructor(options: KeeperOptions) {
    this.#options = options;
  }

  /** The fleet with the addresses that its agents are reached at. Rejects with USAGE, or as `startAgent`. */
  async serve(fleet: Fleet, signal: AbortSignal): Promise<Fleet> {
    const { url } = this.#options;
    const [node, ...others] = fleet.desired.nodes;
    if (node === undefined)
      throw new OdoroboError("USAGE", `${fleet.source} names no node`, {
        hint: "write a Node with its address, such as http://127.0.0.1:8890; odorobo init writes one",
      });
    if (url !== undefined) {
      if (others.length > 0)
        throw new OdoroboError("USAGE", `--agent is one agent, and ${fleet.source} names ${others.length + 1} nodes`, {
          hint: "leave --agent out: the nodes' own addresses are used",
        });
      return { ...fleet, desired: { ...fleet.desired, nodes: [{ ...node, address: url }] } };
    }
    if (!this.#isSettled && others.length === 0 && isHere(node)) await this.#settle(node, signal);
    return fleet;
  }

  async #settle(node: DesiredNode, signal: AbortSignal): Promise<void> {
    const { access, onStart, log } = this.#options;
    if (await answers(node.address, access, signal)) {
      this.#isSettled = true;
      return;
    }
    const { parseAgentConfig } = await import("../../../agent/config.ts");
    const { startAgent } = await import("../../../agent/main.ts");
    this.#agent = await startAgent(parseAgentConfig(this.#settings(node)), { log });
    this.#isSettled = true;
    onStart({ node: node.name, address: node.address });
  }

  #settings({ name, address }: DesiredNode): AgentSettings {
    const { data, run, access } = this.#options;
    // Root's are those of `odorobo agent`: when that is installed later, it finds the same guests.
    const isRoot = process.getuid?.() === 0;
    const runtime = process.env.XDG_RUNTIME_DIR ?? join(tmpdir(), `odorobo-${process.getuid?.()}`);
    return {
      name,
      listen: [address.startsWith("unix:") ? address : new URL(address).host],
      data: data ?? (isRoot ? undefined : join(stateFolder(), "agent")),
      run: run ?? (isRoot ? undefined : join(runtime, "odorobo")),
      tokenFile: access.tokenFile,
    };
  }

  /** Guests run on. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#agent?.[Symbol.asyncDispose]();
  }
}

/** Nobody else's machine can be meant. */
function isHere({ address }: DesiredNode): boolean {
  if (address.startsWith("unix:")) return true;
  const { protocol, hostname } = new URL(address);
  return protocol === "http:" && (hostname === "localhost" || hostname === "[::1]" || hostname.startsWith("127."));
}

async function answers(address: string, access: AgentAccess, signal: AbortSignal): Promise<boolean> {
  const client = connectAgent({ ...access, address, answerMs: PROBE_MS });
  try {
    await client.report(signal);
    return true;
  } catch (error) {
    signal.throwIfAborted();
    // Whoever refuses us, or is slow, is somebody.
    return !isOdoroboError(error, "AGENT_UNREACHABLE");
  } finally {
    await client.close();
  }
}
