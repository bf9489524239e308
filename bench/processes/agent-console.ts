/** How fast a guest's serial line reaches its viewers through the agent, and whether all of it does. The guest is the double's, which talks as fast as one listens. */
import { WebSocket } from "ws";
import { installDouble } from "../../test/support/cloud-hypervisor-double/install.ts";
import { startAgentChild } from "../agent-child.ts";
import { smallGuest } from "../small-guest.ts";
import { tell } from "../tell.ts";

const DEADLINE_MS = 120_000;
/** The double writes pieces of 64 KiB, each of one letter and a line end. */
const PIECE_BYTES = 64 * 1024;
const LETTER = 0x78;

const [scratch = "", installed = "", megabytesText = "1"] = process.argv.slice(2);
const bytes = Number(megabytesText) * 16 * PIECE_BYTES;
const letters = bytes - bytes / PIECE_BYTES;
await using agent = await startAgentChild(installed, scratch, [
  ...["--hypervisor", "cloud-hypervisor", "--cloud-hypervisor", installDouble(scratch), "--supervisor", "spawn"],
  ...["--cpus", "100", "--memory", "100GiB"],
]);
const guest = smallGuest("cloud-hypervisor");
await agent.put("talker", { ...guest, memory: { sizeMiB: 128, maxMiB: 128 } });
await agent.operate("talker", { kind: "boot" });

const one = await flood(1);
const five = await flood(5);
await agent.operate("talker", { kind: "delete", graceSeconds: 0 });
tell(`${Math.round(bytes / 1e6)} MB each`, {
  values: {
    oneMBps: bytes / 1e3 / one.milliseconds,
    fiveMBps: bytes / 1e3 / five.milliseconds,
    lost: one.lost + five.lost,
  },
});

/** Until all have all; what is missing at the deadline is lost. */
async function flood(viewers: number): Promise<{ readonly milliseconds: number; readonly lost: number }> {
  const counts = new Array<number>(viewers).fill(0);
  const done = Promise.withResolvers<void>();
  const sockets = await Promise.all(counts.map((_, index) => open((chunk) => count(index, chunk))));
  const begun = performance.now();
  const patience = setTimeout(done.resolve, DEADLINE_MS);
  sockets[0]?.send(Buffer.from(`!flood ${bytes}\n`));
  await done.promise;
  clearTimeout(patience);
  const milliseconds = performance.now() - begun;
  for (const socket of sockets) socket.terminate();
  return { milliseconds, lost: counts.reduce((lost, seen) => lost + Math.max(0, letters - seen), 0) };

  function count(index: number, chunk: Buffer): void {
    // The scrollback of an earlier flood comes before it is asked for anew, and is taken off at the beginning.
    for (let at = 0; at < chunk.length; at++) if (chunk[at] === LETTER) counts[index] = (counts[index] ?? 0) + 1;
    if (counts.every((seen) => seen >= letters)) done.resolve();
  }
}

/** Resolves once the scrollback has come. */
async function open(onBytes: (chunk: Buffer) => void): Promise<WebSocket> {
  const socket = new WebSocket(`${agent.url.replace("http", "ws")}/v1/vms/talker/console`, {
    perMessageDeflate: false,
  });
  const counting = Promise.withResolvers<void>();
  let isLive = false;
  socket.on("message", (data: Buffer) => {
    if (isLive) return onBytes(data);
    // It counts five times a second: a short message is a live one, the scrollback is behind us.
    if (data.length > 64 || !data.includes("COUNTER")) return;
    isLive = true;
    counting.resolve();
  });
  socket.on("error", counting.reject);
  await counting.promise;
  return socket;
}
