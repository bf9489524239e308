/** One seed: a world is made, disturbed round by round, calmed, emptied and looked through for what is left. */
import { once } from "node:events";
import { createServer } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { type Chance, chanceOf } from "./chance.ts";
import { checkSettled, type Homes } from "./check.ts";
import { endWell } from "./end-well.ts";
import { applyIn } from "./kinds/applies.ts";
import { KINDS } from "./kinds/kinds.ts";
import { type Fault, type FaultKind, listFaults, type Round } from "./list-faults.ts";
import { takeTurn } from "./turn.ts";
import { World } from "./world.ts";

/** From the start of an apply to a fault: a plan takes 50 ms, a step 5 to 500. */
const MOST_PAUSE_MS = 500;

export interface SeedOptions {
  readonly seed: number;
  readonly count: number;
  readonly withQemu: boolean;
  /** Of the agent that answers over TCP; 0: any that is free. */
  readonly port: number;
  /** Kinds that this machine or this run leaves out. */
  readonly without: ReadonlySet<FaultKind>;
  /** No further round is begun after this: minutes are over, or somebody pressed Ctrl-C. */
  readonly signal: AbortSignal;
  readonly onRound: (done: number) => void;
}

export interface SeedResult {
  /** Faults that happened. */
  readonly done: number;
  /** Drawn, and there was nothing for them to hit. */
  readonly missed: number;
  readonly byKind: ReadonlyMap<FaultKind, number>;
  readonly violations: readonly string[];
  /** Where its logs are; null: it went well. */
  readonly logs: string | null;
}

export async function runSeed(options: SeedOptions, logFolder: string): Promise<SeedResult> {
  const port = options.port === 0 ? await aFreePort(chanceOf(options.seed)) : options.port;
  const world = new World({ ...options, port });
  const homes: Homes = new Map();
  const byKind = new Map<FaultKind, number>();
  let missed = 0;
  const count = (kind: FaultKind) => byKind.set(kind, (byKind.get(kind) ?? 0) + 1);
  const done = () => [...byKind.values()].reduce((sum, each) => sum + each, 0);

  async function make(fault: Fault): Promise<void> {
    const perform = KINDS[fault.kind as keyof typeof KINDS];
    const hit = options.without.has(fault.kind) ? null : await perform(world, chanceOf(fault.dice));
    world.note(`${fault.number} ${fault.kind}: ${hit ?? "nothing to hit"}`);
    if (hit === null) missed++;
    else count(fault.kind);
  }

  /** What disturbs an apply goes on beside it, in the middle of whatever is being done, and of one another. */
  async function playRound({ before, apply, during, mends }: Round): Promise<void> {
    for (const fault of before) await make(fault);
    const disturbs = during.some(({ kind }) => /agent/.test(kind)) || world.nodes.some(({ isSwapped }) => isSwapped);
    const steady = new Set(disturbs ? [] : world.nodes.map(({ name }) => name));
    const applied = applyIn(world, apply.kind, chanceOf(apply.dice), homes, steady);
    await Promise.all(
      during.map(async (fault) => {
        await sleep(chanceOf(fault.dice + 1).below(MOST_PAUSE_MS));
        await make(fault);
      }),
    );
    world.note(`${apply.number ?? "-"} ${apply.kind}: ${await applied}`);
    if (apply.number !== null) count(apply.kind);
    if (mends) {
      await world.putBack();
      await world.manifests.heal();
    }
    await checkSettled(world, homes);
  }

  try {
    await world.begin();
    await world.manifests.populate(chanceOf(options.seed));
    await takeTurn(world, { answerMs: 60_000 });
    for (const round of listFaults(options.seed, options.count)) {
      if (options.signal.aborted || world.violations.length > 0) break;
      await playRound(round);
      options.onRound(done());
    }
    if (world.violations.length === 0) await endWell(world, homes);
  } catch (error) {
    world.violate(`the harness could not go on: ${error instanceof Error ? error.stack : error}`);
  }
  let logs: string | null = null;
  try {
    if (world.violations.length > 0) logs = world.keepLogs(logFolder);
  } finally {
    await world.end();
  }
  return { done: done(), missed, byKind, violations: world.violations, logs };
}

/** Below the ports that the kernel gives to outgoing connections: an agent that is away for a moment finds it free again. */
async function aFreePort(chance: Chance): Promise<number> {
  for (;;) {
    const port = 10_000 + chance.below(20_000);
    const server = createServer();
    const isFree = await new Promise<boolean>((resolve) => {
      server.once("error", () => resolve(false));
      server.listen(port, "127.0.0.1", () => resolve(true));
    });
    if (!isFree) continue;
    server.close();
    await once(server, "close");
    return port;
  }
}
