/**
 * Two agents in this process, and the way between them: a guest of the first moves to the second. The way can be cut, and be made to swallow what is
 * sent; either agent can end and start again while the other goes on.
 */
import { type Duplex, duplexPair } from "node:stream";
import type { LifecycleOptions } from "../../src/agent/lifecycle/service.ts";
import { OdoroboError } from "../../src/model/errors.ts";
import { nodeName, type VmName } from "../../src/model/names.ts";
import type { Dial } from "../../src/wire/move-channel.ts";
import type { MoveQuestion } from "../../src/wire/move-line.ts";
import type { OperationResult } from "../../src/wire/operations.ts";
import { anAgent, type TestAgent, type TestAgentOptions } from "./an-agent.ts";

export const TICKET = "t".repeat(43);

export interface TwoAgents extends AsyncDisposable {
  readonly n1: TestAgent;
  readonly n2: TestAgent;
  /** Channels that were opened, in order. */
  readonly dialled: string[];
  /** Whether the one can reach the other. */
  reachable: boolean;
  /** Ends all that is open between them. */
  cut(): void;
  /** The way between them is gone as soon as this is about to be asked; null: not any more. */
  goneAt: MoveQuestion | null;
  /** What n1 says on its way, a line at a time. */
  rewrite: (line: string) => string;
  /** Ends it once so many bytes more have gone to n2 on channels for disks; null: not any more. */
  cutAfter: number | null;
  /** Both halves of a move of `web-1` from n1 to n2. */
  move(options?: HowToMove): Promise<OperationResult>;
  expect(ticket?: string, mode?: "live" | "cold"): Promise<OperationResult>;
  migrate(options?: HowToMove): Promise<OperationResult>;
}

interface HowToMove {
  readonly mode?: "live" | "cold";
  readonly ticket?: string;
  readonly id?: string;
  readonly bandwidthMiBps?: number;
}

export async function twoAgents(
  options: TestAgentOptions = {},
  each: { readonly n1?: TestAgentOptions; readonly n2?: TestAgentOptions } = {},
): Promise<TwoAgents> {
  const open = new Set<Duplex>();
  const dialled: string[] = [];
  const dialTo =
    (node: () => TestAgent): Dial =>
    async (target, vm, channel) => {
      if (!world.reachable) throw new OdoroboError("AGENT_UNREACHABLE", `nobody answers at ${target.address}`);
      const letIn = node().lifecycle.letIn(vm as VmName, channel, target.ticket);
      dialled.push(channel);
      const [here, there] = duplexPair();
      if (channel.startsWith("disk.")) countBytes(here);
      else if (channel === "control") listen(here);
      for (const end of [here, there]) {
        open.add(end);
        end.on("error", () => {});
        end.once("close", () => {
          open.delete(end);
          // As a socket: whoever is left hears of it.
          (end === here ? there : here).destroy();
        });
      }
      letIn(there);
      return here;
    };
  function listen(stream: Duplex): void {
    const write = stream._write.bind(stream);
    stream._write = (chunk: Buffer, encoding, done) => {
      if (world.goneAt === null || !chunk.includes(`"question":"${world.goneAt}"`))
        return write(Buffer.from(world.rewrite(chunk.toString("utf8"))), encoding, done);
      world.goneAt = null;
      world.reachable = false;
      world.cut();
      done(null);
    };
  }
  /** As a link that breaks: what was written before gets there, or not. */
  function countBytes(stream: Duplex): void {
    const write = stream._write.bind(stream);
    stream._write = (chunk: Buffer, encoding, done) => {
      if (world.cutAfter === null) return write(chunk, encoding, done);
      const rest = world.cutAfter;
      world.cutAfter -= chunk.length;
      if (rest >= chunk.length) return write(chunk, encoding, done);
      world.cutAfter = null;
      write(chunk.subarray(0, Math.max(0, rest)), encoding, () => {
        world.cut();
        done(null);
      });
    };
  }
  const node = (name: string): LifecycleOptions["node"] => ({
    name: nodeName(name),
    id: `id-${name}`,
    agentVersion: "0.1.0",
    bootId: "boot-1",
  });
  const pace = { settleEveryMs: 5, settleMs: 300, sourceAwayMs: 60 };
  const n1 = await anAgent({ ...pace, ...options, ...each.n1, node: node("n1"), dial: dialTo(() => n2) });
  const n2: TestAgent = await anAgent({ ...pace, ...options, ...each.n2, node: node("n2"), dial: dialTo(() => n1) });
  let ids = 0;
  const world: TwoAgents = {
    n1,
    n2,
    dialled,
    reachable: true,
    cutAfter: null,
    goneAt: null,
    rewrite: (line) => line,
    cut() {
      for (const end of open) end.destroy();
    },
    async expect(ticket = TICKET, mode = "live") {
      const { spec, generation, fleet } = await n1.vm("web-1");
      return n2.operate("web-1", {
        kind: "expect-guest",
        from: nodeName("n1"),
        ticket,
        generation,
        spec,
        fleet,
        ...(mode === "cold" ? { mode } : {}),
      });
    },
    migrate: ({ ticket = TICKET, mode = "live", id = `migrate-${++ids}`, bandwidthMiBps } = {}) =>
      n1.operate("web-1", {
        kind: "migrate",
        id,
        to: { node: nodeName("n2"), address: "http://n2:8890", ticket, fingerprint: null },
        mode,
        ...(bandwidthMiBps === undefined ? {} : { bandwidthMiBps }),
      }),
    async move(how = {}) {
      await world.expect(how.ticket, how.mode);
      return world.migrate(how);
    },
    async [Symbol.asyncDispose]() {
      await n1[Symbol.asyncDispose]();
      await n2[Symbol.asyncDispose]();
    },
  };
  return world;
}
