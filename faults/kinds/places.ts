/** Disks that are full or read-only, and data folders that are not the right ones. */
import { cpSync, existsSync, mkdirSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import type { FaultyNode, World } from "../world.ts";
import { act } from "./clients.ts";
import type { Perform } from "./perform.ts";

/** To the last block, or with so little left that a write begins well and ends badly. */
const LEFT_BYTES = [0, 0, 4_096, 16_384];

/** Whoever finds the disk full does one of these first. */
const MAKES_ROOM = ["shutdown", "delete", "purge"] as const;

export const fillData: Perform = async (world, chance) => {
  const node = chance.pick(world.nodes);
  const left = chance.pick(LEFT_BYTES) as number;
  const then = chance.pick(MAKES_ROOM);
  const disk = node?.dataDisk ?? null;
  if (node === undefined || disk === null || !disk.fill(left)) return null;
  world.later(`room on the data disk of ${node.name}`, async () => disk.free());
  const acted = then === undefined || !node.agent.isUp || node.isSwapped ? null : await act(world, node, then, chance);
  return `${node.name}, but for ${left} bytes; ${acted ?? "nothing done"}`;
};

export const fillRun: Perform = async (world, chance) => {
  const node = chance.pick(world.nodes);
  const disk = node?.runDisk ?? null;
  if (disk === null) return null;
  disk.fill();
  world.later(`room in the run folder of ${node?.name}`, async () => disk.free());
  return node?.name ?? null;
};

export const fillCache: Perform = async (world) => {
  const { cacheDisk } = world;
  if (cacheDisk === null) return null;
  cacheDisk.fill();
  world.later("room in the caller's cache", async () => cacheDisk.free());
  return "the caller's cache";
};

export const makeReadOnly: Perform = async (world, chance) => {
  const node = chance.pick(world.nodes);
  const disk = node?.dataDisk ?? null;
  if (disk === null || !disk.makeReadOnly()) return null;
  world.later(`writing on the data disk of ${node?.name}`, async () => disk.makeWritable());
  return node?.name ?? null;
};

/**
 * The agent starts with an empty folder, or an older copy of its own, as after a forgotten mount. It may refuse to start; if
 * it does not, it must not touch what runs.
 */
export const swapData: Perform = async (world, chance) => {
  const node = chance.pick(world.upNodes.filter(({ isSwapped }) => !isSwapped));
  const wantsCopy = chance.often(0.5);
  if (node === undefined || node.dataDisk?.isReadOnly) return null;
  await node.agent.kill();
  node.isSwapped = true;
  const right = `${node.dataFolder}.right`;
  renameSync(node.dataFolder, right);
  const isCopy = wantsCopy && copyBack(olderOf(world, node), node.dataFolder);
  if (!isCopy) mkdirSync(node.dataFolder, { mode: 0o700 });
  world.later(`the data folder of ${node.name}`, () => putRight(world, node, right));
  const refusal = await node.agent.start({ mayRefuse: true }).then(
    () => null,
    (error: Error) => error.message,
  );
  return `${node.name}: ${isCopy ? "an older copy" : "empty"}; it ${refusal === null ? "runs" : `refused: ${refusal}`}`;
};

/** Beside its disk, which may be full. */
const olderOf = ({ scratch }: World, { name }: FaultyNode): string => join(scratch, name, "older");

/** False when there is none yet, or no room for it. */
function copyBack(older: string, dataFolder: string): boolean {
  try {
    if (!existsSync(older)) return false;
    cpSync(older, dataFolder, { recursive: true });
    return true;
  } catch {
    rmSync(dataFolder, { recursive: true, force: true });
    return false;
  }
}

async function putRight(world: World, node: FaultyNode, right: string): Promise<void> {
  if (node.agent.isUp) await endWhatItMade(world, node);
  await node.agent.kill();
  rmSync(node.dataFolder, { recursive: true, force: true });
  const older = olderOf(world, node);
  rmSync(older, { recursive: true, force: true });
  // What the next swap may find: records and logs, as they are now.
  cpSync(right, older, { recursive: true, filter: (path) => !/\/disks$/.test(path) });
  renameSync(right, node.dataFolder);
  node.isSwapped = false;
  await node.agent.start();
}

/** As people have to: what was made meanwhile is on record only in the folder that goes. */
async function endWhatItMade(world: World, { agent, name }: FaultyNode): Promise<void> {
  for (const { name: vm } of (await agent.report()).vms) {
    const request = { id: `swap-${vm}`, expect: null, kind: "delete", graceSeconds: 0 };
    const { status } = await agent.ask("POST", `/v1/vms/${vm}/operations`, request);
    world.note(`  made meanwhile: ${vm} on ${name}, deleted: ${status}`);
  }
}
