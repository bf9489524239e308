/** Agents and guests that are killed, ended and frozen. */
import { rmSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { isErrno } from "../../src/model/errors.ts";
import type { Perform } from "./perform.ts";

/** How long an agent stays away: mostly as long as its restart takes, sometimes longer than an apply is patient. */
const AWAY_MS = [0, 0, 50, 300, 800];
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
