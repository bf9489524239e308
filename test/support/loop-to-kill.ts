/**
 * A loop over a folder in a process of its own, that kills itself with SIGKILL at the n-th boundary of what it writes down: before and
 * after each state that is remembered, each run that is made and each line of a journal.
 * Run by `a-loop.ts`: node loop-to-kill.js <folder> <state> <memory> <n, 0: never> <seconds of its lease>
 */

import { LiveWorld } from "../../src/gateway/loop/live-world.ts";
import { Loop } from "../../src/gateway/loop/loop.ts";
import { LoopMemoryFile } from "../../src/gateway/loop/memory-file.ts";
import type { LoopMemory, LoopWatcher } from "../../src/gateway/loop/parts.ts";
import { FolderSource } from "../../src/gateway/sources/folder-source.ts";
import { systemClock } from "../../src/platform/clock.ts";
import type { RunClaim, RunStore } from "../../src/run/run-store.ts";
import { FileRunStore } from "../../src/run-store/file-run-store.ts";
import type { LoopSaid } from "./a-loop.ts";

const [folder, state, path, dieAt, leaseSeconds] = process.argv.slice(2) as [string, string, string, string, string];
let passed = 0;
const say = (said: LoopSaid) => process.stdout.write(`${JSON.stringify(said)}\n`);
const boundary = (name: string) => {
  passed++;
  if (passed === Number(dieAt)) process.kill(process.pid, "SIGKILL");
  say({ said: "boundary", name, number: passed });
};
const around = <Result>(name: string, act: () => Result): Result => {
  boundary(`before ${name}`);
  const result = act();
  boundary(`after ${name}`);
  return result;
};

const files = new FileRunStore(state);
const watched = (claim: RunClaim | null): RunClaim => {
  if (claim === null) return claim as never;
  return { ...claim, append: (event) => around(event.event, () => claim.append(event)) };
};
const runs = new Proxy<RunStore>(files, {
  get(store, name: keyof RunStore) {
    if (name === "create")
      return async (...args: Parameters<RunStore["create"]>) => {
        boundary("before begun");
        const claim = await store.create(...args);
        boundary("after begun");
        return watched(claim);
      };
    if (name === "claim") return async (id: string) => watched(await store.claim(id));
    return store[name].bind(store);
  },
});
const clock = systemClock;
const file = new LoopMemoryFile({
  ...{ path, of: folder, runs, clock, by: `odorobo test of process ${process.pid}` },
  onTrouble: (message) => say({ said: "trouble", message }),
});
const memory: LoopMemory = {
  holder: () => file.holder(),
  own: (signal, onHeld) => file.own(signal, onHeld),
  load: () => file.load(),
  keep: (kept) => around("remembered", () => file.keep(kept)),
};
const watcher: LoopWatcher = {
  told(told) {
    if (told.kind === "revision") say({ said: "revision", ...told.revision });
    else if (told.kind === "held") say({ said: "held", by: told.by, run: told.run });
    else say({ said: "told", kind: told.kind });
  },
  asked: (revision, _planned, run) => say({ said: "asked", revision, run }),
  changed: () => {},
  applying(event, run) {
    if (event.event === "step-started") say({ said: "step", run, title: event.title });
  },
};
const stop = new AbortController();
process.on("SIGTERM", () => stop.abort());
const hard = new AbortController();
const access = { answerMs: 5_000 };
const source = new FolderSource(folder, { poll: false, rescanMs: 1_000 }, async (fleet) => fleet);
const world = new LiveWorld({
  ...{ location: { kind: "folder", path: folder }, access, runs, clock, who: "test", intervalMs: 1_000 },
  ...{ signal: stop.signal, hardSignal: hard.signal, leaseSeconds: Number(leaseSeconds) },
});
await new Loop({ source, world, clock, memory }, watcher, {}).run(stop.signal);
process.exit(0);
