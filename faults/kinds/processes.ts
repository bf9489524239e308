/** Agents and guests that are killed, ended and frozen. */
import { existsSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { isErrno } from "../../src/model/errors.ts";
import { act } from "./clients.ts";
import type { Perform } from "./perform.ts";

/** How long an agent stays away: mostly as long as its restart takes, sometimes longer than an apply is patient. */
const AWAY_MS = [0, 0, 50, 300, 800];
/** By whichever agent comes next. */
const CARRIED_ON = ["delete", "delete", "purge"] as const;
const FROZEN_MS = [50, 300, 1_000, 3_000];

export const killAgent: Perform = async (world, chance) => {
  const node = chance.pick(world.upNodes);
  const away = chance.pick(AWAY_MS) as number;
  if (node === undefined) return null;
  await node.agent.kill();
  await sleep(away);
  await node.agent.start();
  return `${node.name} was killed and away for ${away} ms`;
};

/**
 * The agent dies with something in its journal, and whoever asked for it does not ask again: where an apply does, it would carry
 * on what the agent forgot. A rehearsed guest's acts take a few milliseconds, which a kill at some moment hardly ever hits.
 */
export const killAgentInAct: Perform = async (world, chance) => {
  const node = chance.pick(world.upNodes.filter(({ isSwapped }) => !isSwapped));
  const kind = chance.pick(CARRIED_ON) as (typeof CARRIED_ON)[number];
  if (node === undefined) return null;
  const over = new AbortController();
  const asked = act(world, node, kind, chance).finally(() => over.abort());
  const begun = await journalOf(node.dataFolder, over.signal);
  // Another fault may have come first: then that starts it again.
  const isHit = begun !== null && node.agent.isUp;
  if (isHit) await node.agent.kill();
  await asked;
  if (!isHit) return null;
  await node.agent.start();
  return `${node.name} was killed in the ${begun}`;
};

/** What an agent's journal holds as soon as it holds anything; null: until then nothing. */
async function journalOf(dataFolder: string, signal: AbortSignal): Promise<string | null> {
  const vms = join(dataFolder, "vms");
  while (!signal.aborted) {
    for (const vm of existsSync(vms) ? readdirSync(vms) : []) {
      const kind = unfinishedIn(join(vms, vm, "record.json"));
      if (kind !== null) return `${kind} of ${vm}`;
    }
    await sleep(1);
  }
  return null;
}

function unfinishedIn(file: string): string | null {
  try {
    const record = JSON.parse(readFileSync(file, "utf8")) as { unfinished: { kind: string } | null };
    return record.unfinished?.kind ?? null;
  } catch {
    return null; // It goes away, or was never readable.
  }
}

export const endAgent: Perform = async (world, chance) => {
  const node = chance.pick(world.upNodes);
  const away = chance.pick(AWAY_MS) as number;
  if (node === undefined) return null;
  const code = await node.agent.stop();
  if (code !== 0) world.violate(`the agent ${node.name} ended with ${code} after SIGTERM:\n${node.agent.lastWords()}`);
  await sleep(away);
  await node.agent.start();
  return `${node.name} was ended and away for ${away} ms`;
};

export const freezeAgent: Perform = async (world, chance) => {
  const node = chance.pick(world.upNodes);
  const frozen = chance.pick(FROZEN_MS) as number;
  if (node === undefined) return null;
  node.agent.freeze();
  await sleep(frozen);
  node.agent.thaw();
  return `${node.name} was frozen for ${frozen} ms`;
};

/** A rehearsed guest is killed by removing its file. */
export const killGuest: Perform = async (world, chance) => {
  const guest = chance.pick(world.guests());
  if (guest === undefined) return null;
  if (guest.pid === null) rmSync(fileOf(world, guest), { force: true });
  else signal(guest.pid, "SIGKILL");
  return `${guest.vm} on ${guest.node}`;
};

export const freezeGuest: Perform = async (world, chance) => {
  const guest = chance.pick(world.guests().filter(({ pid }) => pid !== null));
  const frozen = chance.pick(FROZEN_MS) as number;
  if (guest === undefined) return null;
  signal(guest.pid as number, "SIGSTOP");
  await sleep(frozen);
  signal(guest.pid as number, "SIGCONT");
  return `${guest.vm} for ${frozen} ms`;
};

function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch (error) {
    if (!isErrno(error, "ESRCH")) throw error;
  }
}

function fileOf(world: Parameters<Perform>[0], guest: { readonly node: string; readonly vm: string }): string {
  const node = world.nodes.find(({ name }) => name === guest.node);
  return join(node?.runFolder ?? "", "vms", guest.vm, "guest.json");
}
