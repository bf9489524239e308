/** Those who talk to an agent: clients that go away or dawdle, and people who act by hand. */
import { connect, type Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import type { Chance } from "../chance.ts";
import { isAboutRecord } from "../check.ts";
import type { FaultyNode, World } from "../world.ts";
import type { Perform } from "./perform.ts";

const SLOW_MS = 15;
const SLOW_BYTES = 60;
const STAYS_MS = [0, 0, 1, 5, 30];

export const clientVanishes: Perform = async (world, chance) => {
  const node = chance.pick(world.upNodes);
  if (node === undefined) return null;
  const text = aRequest(world, node, chance);
  // Never the whole of a body: what it asks for is not meant.
  const bytes = Buffer.from(text).subarray(0, chance.below(text.length) + (text.endsWith("\r\n\r\n") ? 1 : 0));
  const stays = chance.pick(STAYS_MS) as number;
  const isRude = chance.often(0.5);
  const socket = await open(node);
  if (socket === null) return null;
  socket.write(bytes);
  await sleep(stays);
  // Only TCP has a way to be rude.
  if (isRude && socket.remotePort !== undefined) socket.resetAndDestroy();
  else socket.destroy();
  return `${node.name}: ${bytes.length} bytes of ${JSON.stringify(text.slice(0, 40))}`;
};

export const clientIsSlow: Perform = async (world, chance) => {
  const node = chance.pick(world.upNodes);
  if (node === undefined) return null;
  const text = aRequest(world, node, chance);
  const socket = await open(node);
  if (socket === null) return null;
  for (const byte of Buffer.from(text).subarray(0, Math.min(SLOW_BYTES, text.length - 1))) {
    if (socket.destroyed) break;
    socket.write(Buffer.from([byte]));
    await sleep(SLOW_MS);
  }
  socket.destroy();
  return `${node.name}: ${JSON.stringify(text.slice(0, 40))}`;
};

/** A request, one that reads or the beginning of one that writes. */
function aRequest(world: World, node: FaultyNode, chance: Chance): string {
  const vm = chance.pick(world.guests().filter((guest) => guest.node === node.name))?.vm ?? "none";
  const upgrade = `GET /v1/vms/${vm}/console HTTP/1.1\r\nhost: x\r\nconnection: Upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n`;
  const reads = [
    "/v1/report",
    "/v1/events",
    "/v1/health",
    `/v1/vms/${vm}`,
    `/v1/vms/${vm}/log?follow=1`,
    `/v1/vms/${vm}/counters`,
    "/v1/doctor",
    "/info",
    "/vms",
  ].map((path) => `GET ${path} HTTP/1.1\r\nhost: x\r\n\r\n`);
  const body = JSON.stringify({ id: "never", expect: null, kind: "delete", graceSeconds: 0 });
  const writes = [`POST /v1/vms/${vm}/operations`, `PUT /v1/vms/${vm}`].map(
    (line) =>
      `${line} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body}`,
  );
  return chance.pick([...reads, ...writes, upgrade]) as string;
}

function open(node: FaultyNode): Promise<Socket | null> {
  return new Promise((resolve) => {
    const { port, socket: path } = node.agent.place;
    const socket = port === null ? connect(path) : connect(port, "127.0.0.1");
    socket.on("error", () => resolve(null));
    socket.once("connect", () => resolve(socket));
    socket.resume();
  });
}

const ACTS = ["reboot", "shutdown", "boot", "pause", "resume", "power-button", "delete", "purge"] as const;

type Act = (typeof ACTS)[number];

/** What a full disk must not hold up. */
const FREES: ReadonlySet<string> = new Set(["shutdown", "delete", "purge", "power-button", "pause", "resume"]);

/** With few ids, so that some are asked for again. */
export const actByHand: Perform = async (world, chance) => {
  const node = chance.pick(world.upNodes.filter(({ isSwapped }) => !isSwapped));
  const kind = chance.pick(ACTS);
  return node === undefined || kind === undefined ? null : act(world, node, kind, chance);
};

/** On some VM of this node. Null: it has none. */
export async function act(world: World, node: FaultyNode, kind: Act, chance: Chance): Promise<string | null> {
  const id = `hand-${chance.below(1_000)}`;
  const which = chance.next();
  try {
    const { vms, tombstones } = await node.agent.report();
    const names = (kind === "purge" ? tombstones : vms).map(({ name }) => name);
    const vm = names[Math.floor(which * names.length)];
    if (vm === undefined) return null;
    if (kind === "purge") world.disks.forget(node.dataFolder, vm);
    const grace = ["reboot", "shutdown", "delete"].includes(kind) ? { graceSeconds: chance.below(2) } : {};
    const request = { id, expect: null, kind, ...grace };
    const { status, body } = await node.agent.ask("POST", `/v1/vms/${vm}/operations`, request);
    const text = JSON.stringify(body);
    if (/"code":"INTERNAL"/.test(text)) world.violate(`${kind} of ${vm} by hand: ${text}`);
    if (FREES.has(kind) && /"code":"INSUFFICIENT_STORAGE"/.test(text) && isAboutRecord(text))
      world.violate(`${kind} of ${vm} by hand, which would make room: ${text}`);
    return `${kind} of ${vm} on ${node.name}: ${status}`;
  } catch (error) {
    // Its agent may be killed meanwhile.
    return `${kind} on ${node.name}: ${error instanceof Error ? error.message : error}`;
  }
}
