/**
 * Ten thousand requests that nobody should send, to an agent in a process of its own: it stays up, holds no more than before,
 * is surprised by none, and leaves no file where it should not.
 *
 * The same every time. Another hunt: ODOROBO_FUZZ_SEED=$RANDOM npm test -- test/system/fuzz.test.ts
 */
import { readdir, readFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { isDnsLabel } from "../../src/model/names.ts";
import { CANARY, type HostileRequest, hostileRequests } from "../support/hostile-requests.ts";
import { type Heard, Sender } from "../support/send-hostile.ts";
import { aSystemAgent, type SystemAgent } from "../support/system-agent.ts";
import { aTempFolder } from "../support/temp-folder.ts";
import { until } from "../support/until.ts";

const SEED = Number(process.env.ODOROBO_FUZZ_SEED ?? 20_260_401);
const REQUESTS = 10_000;
const BATCH = 500;
const PARALLEL = 16;
/** What an agent needs for its caches, compiled code and the garbage it has not collected yet is there by then. */
const WARM_AFTER = 4_000;
const PATIENCE_MS = 600_000;

test(`10,000 hostile requests (seed ${SEED}) leave an agent as it was`, { timeout: PATIENCE_MS }, async () => {
  await using folder = await aTempFolder({ inMemory: true });
  const agent = await aSystemAgent({
    name: "n1",
    folder: folder.path,
    flags: ["--hypervisor", "noop", "--rate-limit", "0", "--log-level", "warn", "--log-format", "json"],
    env: {},
  });
  const before = await filesAround(folder.path);
  const pid = agent.pid ?? 0;
  const files = await openFilesOf(pid);
  const memory: number[] = [];
  const faults: string[] = [];
  const met = { done: 0, refused: 0 };
  {
    using sender = new Sender(agent.url, PARALLEL);
    for (let sent = 0; sent < REQUESTS; sent += BATCH) {
      const requests = hostileRequests(SEED + sent, BATCH);
      await inParallel(requests, PARALLEL, async (request) => {
        const heard = await sender.send(request);
        count(heard, met);
        const fault = faultOf(request, heard);
        if (fault !== null) faults.push(fault);
      });
      expect(faults, `seed ${SEED}`).toEqual([]);
      expect(agent.pid, `seed ${SEED}: the agent is gone`).toBe(pid);
      memory.push(await residentMiB(pid));
    }
  }
  expect((await agent.report()).node.name).toBe("n1");

  // Neither were all turned away at the door, nor did the agent only do as it was told.
  expect(Math.min(met.done, met.refused), JSON.stringify(met)).toBeGreaterThan(100);

  const warm = memory.slice(WARM_AFTER / BATCH);
  const [early, late] = [warm.slice(0, 4), warm.slice(-4)].map((each) => Math.min(...each)) as [number, number];
  expect(late, `MiB over time: ${memory.map(Math.round).join(" ")}`).toBeLessThan(early * 1.5);

  await until("every connection is let go", async () => (await openFilesOf(pid)) <= files + 4, 60_000);
  await expectOwnFilesOnly(agent, folder.path, before);

  const { code, stderr } = await agent.stop();
  expect(code).toBe(0);
  const complaints = stderr
    .split("\n")
    .filter((line) => /unexpected error|could not be sent|a connection failed|unhandled|\bat file:/i.test(line));
  expect(complaints, `seed ${SEED}`).toEqual([]);
});

function count(heard: Heard, met: { done: number; refused: number }): void {
  if (heard.kind !== "answer") return;
  if (heard.status >= 400) met.refused++;
  else if (heard.body.includes('"outcome":"done"')) met.done++;
}

/** What an agent must not say, whatever it was asked; null: it did well. */
function faultOf(request: HostileRequest, heard: Heard): string | null {
  if (heard.kind === "nothing") return `no answer to ${show(request)}`;
  if (heard.kind === "closed") return null;
  const isSurprised = /"code":"INTERNAL"|did not expect|did not foresee/.test(heard.body);
  const isStack = /\n\s+at .*\(?(file|node):/.test(heard.body);
  return isSurprised || isStack ? `${heard.status} ${heard.body.slice(0, 500)}\n  to ${show(request)}` : null;
}

function show(request: HostileRequest): string {
  if (request.kind === "http") {
    const { method, path, headers, body } = request;
    return `${method} ${path} ${JSON.stringify(headers)} ${(body ?? "").slice(0, 3_000)}`;
  }
  return `${request.kind} ${JSON.stringify(request.pieces.map((piece) => piece.toString("latin1").slice(0, 300)))}`;
}

async function inParallel<Item>(items: readonly Item[], parallel: number, run: (item: Item) => Promise<void>) {
  const queue = items.values();
  const worker = async () => {
    for (const item of queue) await run(item);
  };
  await Promise.all(Array.from({ length: parallel }, worker));
}

async function residentMiB(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, "utf8");
  return Number(/^VmRSS:\s+(\d+) kB/m.exec(status)?.[1]) / 1024;
}

const openFilesOf = async (pid: number): Promise<number> => (await readdir(`/proc/${pid}/fd`)).length;

/** Where a path that got out would show: beside the agent's folders, and where the hostile texts point to. */
async function filesAround(folder: string): Promise<string[]> {
  const places = [folder, join(folder, ".."), tmpdir(), "/tmp", "/", process.cwd()];
  const lists = await Promise.all(places.map(async (place) => (await readdir(place)).map((name) => join(place, name))));
  return lists.flat().filter((path) => path.startsWith(`${folder}/`) || path.includes(CANARY));
}

async function expectOwnFilesOnly(agent: SystemAgent, folder: string, before: readonly string[]): Promise<void> {
  expect(await filesAround(folder)).toEqual(before);
  const all = [
    ...(await readdir(agent.dataFolder, { recursive: true })),
    ...(await readdir(agent.runFolder, { recursive: true })),
  ];
  expect(all.filter((path) => path.includes(CANARY))).toEqual([]);
  for (const vms of [join(agent.dataFolder, "vms"), join(agent.runFolder, "vms")]) {
    const names = await readdir(vms).catch(() => []);
    expect(names.filter((name) => !isDnsLabel(name))).toEqual([]);
  }
  const lines = (await readFile(join(agent.dataFolder, "audit.log"), "utf8")).trimEnd().split("\n");
  for (const line of lines) expect(() => JSON.parse(line), line).not.toThrow();
}
