/**
 * How two agents move a noop guest: its file goes through their own door, as a real guest's memory does. Where it was it stands as `sent`, where it
 * has come as `whole`, and it runs again where its agent is told to take it, or to keep it.
 */
import type { Duplex } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import { OdoroboError } from "../../../model/errors.ts";
import { toLiveConfig } from "../../../model/fields.ts";
import type { Admission, LaunchInput, OutgoingGuest, RunningVm } from "../hypervisor.ts";
import { GuestFile, type NoopGuest } from "./guest-file.ts";
import type { Failable, NoopSettings } from "./settings.ts";

/** What a file that never ends would fill. A guest's has a few KiB. */
const MAX_GUEST_BYTES = 16 * 1024 * 1024;
const STEPS = 10;

export const outgoingGuest = (file: GuestFile, settings: () => NoopSettings): OutgoingGuest => ({
  describe: async () => null,
  async send(passage, signal) {
    const begun = performance.now();
    const guest = file.read();
    if (guest === null || !["running", "paused"].includes(guest.phase)) throw gone(file);
    const bytes = guest.live.memory.sizeMiB * 1024 * 1024;
    for (const { name } of passage.disks) (await passage.open(`disk.${name}`)).resume().end(`${name}\n`);
    const stream = await passage.open("memory");
    // Nothing comes back, but its end.
    stream.resume();
    stream.on("error", () => {});
    for (let step = 1; step <= STEPS; step++) {
      const sentBytes = Math.round((bytes * step) / STEPS);
      await sleep(settings().migrateDelayMs / STEPS, undefined, { signal });
      passage.progress({
        stage: "memory",
        sentBytes,
        remainingBytes: bytes - sentBytes,
        bytesPerSecond: Math.round(sentBytes / Math.max(0.001, (performance.now() - begun) / 1000)),
        dirtyBytesPerSecond: 0,
      });
    }
    if (passage.disks.length > 0) await passage.disksDone();
    // As it is now: it may have been changed meanwhile.
    const last = file.read();
    if (last === null) throw gone(file);
    file.write({ ...last, phase: "sent" });
    await new Promise<void>((resolve, reject) => {
      stream.once("error", reject);
      stream.end(`${JSON.stringify(last)}\n`, () => resolve());
    });
    return { bytes, downtimeMs: 0 };
  },
  async stay({ paused }) {
    const guest = file.read();
    if (guest === null) throw gone(file);
    if (guest.phase === "sent") file.write({ ...guest, phase: paused ? "paused" : "running" });
  },
});

export interface AdmitOptions {
  readonly again: boolean;
  readonly now: () => number;
  readonly refuseIf: (act: Failable) => void;
  readonly begin: () => RunningVm;
}

export function admitGuest(vm: LaunchInput, options: AdmitOptions): Admission {
  const file = new GuestFile(vm.paths.runFolder);
  const whole = Promise.withResolvers<void>();
  whole.promise.catch(() => {});
  const open = new Set<Duplex>();
  const known = file.read()?.phase;
  if (!options.again) file.write({ phase: "receiving", bootedAt: options.now(), live: toLiveConfig(vm.spec) });
  else if (known === "whole" || known === "running" || known === "paused") whole.resolve();
  else whole.reject(neverComes(vm.name, "what was to bring it is gone"));

  const takeIn = (text: string) => {
    try {
      options.refuseIf("arrive");
      const guest = JSON.parse(text) as NoopGuest;
      file.write({ ...guest, phase: "whole", bootedAt: Math.min(guest.bootedAt, options.now()) });
      whole.resolve();
    } catch (error) {
      whole.reject(neverComes(vm.name, "what came is no guest", error));
    }
  };
  return {
    connect(channel, stream) {
      const isDisk = channel.startsWith("disk.") && vm.spec.disks.some(({ name }) => channel === `disk.${name}`);
      if (channel !== "memory" && !isDisk)
        throw new OdoroboError("BAD_REQUEST", `the noop guest ${vm.name} has no ${channel} to take in`);
      open.add(stream);
      const chunks: Buffer[] = [];
      let bytes = 0;
      stream.on("data", (chunk: Buffer) => {
        chunks.push(chunk);
        bytes += chunk.length;
        if (bytes > MAX_GUEST_BYTES) stream.destroy(new Error("too much for a noop guest"));
      });
      stream.on("end", () => stream.end());
      stream.on("error", () => stream.destroy());
      stream.once("close", () => {
        open.delete(stream);
        if (channel !== "memory") return;
        const text = Buffer.concat(chunks).toString("utf8");
        if (text.endsWith("\n")) takeIn(text);
        else whole.reject(neverComes(vm.name, "the connection broke"));
      });
    },
    releaseDisks: async () => {},
    whole: () => whole.promise,
    async take({ paused }) {
      options.refuseIf("take");
      const guest = file.read();
      if (guest === null) throw neverComes(vm.name, "it was killed");
      if (guest.phase === "whole") file.write({ ...guest, phase: paused ? "paused" : "running" });
      return options.begin();
    },
    async [Symbol.asyncDispose]() {
      for (const stream of open) stream.destroy();
      whole.reject(neverComes(vm.name, "nobody waits for it any more"));
    },
  };
}

const gone = (file: GuestFile) =>
  new OdoroboError("HYPERVISOR_UNAVAILABLE", "the noop guest is gone", {
    hint: `its file ${file.path} was removed, which kills it`,
  });

const neverComes = (name: string, why: string, cause?: unknown) =>
  new OdoroboError("HYPERVISOR_FAILED", `the noop guest ${name} will not come: ${why}`, { cause });
