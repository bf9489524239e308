/**
 * Node-local disks go along: each is mirrored to the other node's NBD export until both are alike, and stays mirrored until the guest stands still.
 *
 * Invariant: a disk counts as copied only when its job says `completed` and no error, after the guest stood still. An idle guest's mirror notices
 * a lost connection by nothing else.
 */
import { readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { OdoroboError } from "../../../../model/errors.ts";
import type { LaunchInput, Passage } from "../../hypervisor.ts";
import { forwardFrom } from "../../join-streams.ts";
import { diskId } from "../device-ids.ts";
import type { QmpClient } from "../qmp/qmp.ts";
import type { BlockJob, QmpEvent } from "../qmp/qmp-commands.ts";

const LOOK_MS = 50;
/** Nothing was copied for so long: the link or the other disk is stuck. */
const STALLED_MS = 60_000;
/** A job that is cancelled is done once what is under way has been written. */
const FINISH_MS = 30_000;

const PREFIX = "move.";

export class MirroredDisks {
  readonly #vm: LaunchInput;
  readonly #qmp: QmpClient;
  #jobs: readonly { readonly job: string; readonly node: string }[] = [];

  constructor(vm: LaunchInput, qmp: QmpClient) {
    this.#vm = vm;
    this.#qmp = qmp;
  }

  /** Resolves when all are alike, with how many bytes that took. `open`: what is to be closed when the guest has gone, or stays. */
  async copy(
    passage: Passage,
    open: AsyncDisposableStack,
    onFailure: (error: unknown) => void,
    signal: AbortSignal,
  ): Promise<number> {
    this.#jobs = passage.disks.map((_, index) => ({ job: `${PREFIX}${index}`, node: `${PREFIX}to.${index}` }));
    for (const [index, { name, shallow }] of passage.disks.entries()) {
      const { job, node } = this.#jobs[index] as { job: string; node: string };
      const path = join(this.#vm.paths.runFolder, `d${index}.sock`);
      await rm(path, { force: true });
      open.use(await forwardFrom(path, () => passage.open(`disk.${name}`), onFailure));
      await this.#qmp.call(
        "blockdev-add",
        { driver: "nbd", "node-name": node, server: { type: "unix", path }, export: name },
        { signal },
      );
      await this.#qmp.call(
        "blockdev-mirror",
        { "job-id": job, device: diskId(name), target: node, sync: shallow ? "top" : "full" },
        { signal },
      );
    }
    return this.#untilAlike(passage, signal);
  }

  /** The guest stands still: what it wrote last is there. Rejects when one of them did not end well. */
  async finish(signal: AbortSignal): Promise<void> {
    for (const { job, node } of this.#jobs) {
      const ended = this.#endOf(job);
      try {
        const found = (await this.#qmp.call("query-block-jobs", { signal })).find(({ device }) => device === job);
        if (found === undefined || !found.ready || found.error !== undefined) throw lost(this.#vm.name, found);
        await this.#qmp.call("block-job-cancel", { device: job, force: false }, { signal });
        const { error } = await ended.within(FINISH_MS, signal);
        if (error !== undefined) throw lost(this.#vm.name, { error: String(error) });
      } finally {
        ended.forget();
      }
      await this.#qmp.call("blockdev-del", { "node-name": node }, { signal });
    }
    this.#jobs = [];
  }

  /** Whatever is left of them, also by an agent before this one. */
  async end(signal: AbortSignal): Promise<void> {
    for (;;) {
      const jobs = (await this.#qmp.call("query-block-jobs", { signal })).filter(({ device }) =>
        device.startsWith(PREFIX),
      );
      if (jobs.length === 0) break;
      for (const { device } of jobs)
        await this.#qmp
          .call("block-job-cancel", { device, force: true }, { signal })
          .catch(() => signal.throwIfAborted());
      await sleep(LOOK_MS, undefined, { signal });
    }
    const nodes = await this.#qmp.call("query-named-block-nodes", { flat: true }, { signal });
    for (const { "node-name": node } of nodes)
      if (node.startsWith(`${PREFIX}to.`))
        await this.#qmp.call("blockdev-del", { "node-name": node }, { signal }).catch(() => signal.throwIfAborted());
    this.#jobs = [];
    // Of an agent that died with them open.
    const { runFolder } = this.#vm.paths;
    for (const file of await readdir(runFolder))
      if (/^d\d+\.sock$/.test(file)) await rm(join(runFolder, file), { force: true });
  }

  async #untilAlike(passage: Passage, signal: AbortSignal): Promise<number> {
    const begun = performance.now();
    let moved = { offset: -1, at: begun };
    for (;;) {
      if (this.#jobs.length === 0) return 0;
      signal.throwIfAborted();
      const jobs = await this.#qmp.call("query-block-jobs", { signal });
      const ours = this.#jobs.map(({ job }) => jobs.find(({ device }) => device === job));
      const bad = ours.find((job) => job === undefined || job.error !== undefined || job["io-status"] !== "ok");
      if (ours.includes(undefined) || bad !== undefined) throw lost(this.#vm.name, bad);
      const known = ours as readonly BlockJob[];
      const offset = known.reduce((sum, job) => sum + job.offset, 0);
      const left = known.reduce((sum, job) => sum + Math.max(0, job.len - job.offset), 0);
      if (known.every((job) => job.ready)) return offset;
      const now = performance.now();
      if (offset !== moved.offset) moved = { offset, at: now };
      else if (now - moved.at > STALLED_MS) throw lost(this.#vm.name, { error: "nothing gets through" });
      passage.progress({
        stage: "disks",
        sentBytes: offset,
        remainingBytes: left,
        bytesPerSecond: Math.round(offset / Math.max(0.001, (now - begun) / 1000)),
        dirtyBytesPerSecond: null,
      });
      await sleep(LOOK_MS, undefined, { signal });
    }
  }

  #endOf(job: string): {
    readonly within: (milliseconds: number, signal: AbortSignal) => Promise<QmpEvent["data"]>;
    readonly forget: () => void;
  } {
    const { promise, resolve, reject } = Promise.withResolvers<QmpEvent["data"]>();
    promise.catch(() => {});
    const forget = this.#qmp.onEvent(({ event, data }) => {
      if (data.device !== job) return;
      if (event === "BLOCK_JOB_COMPLETED") resolve(data);
      if (event === "BLOCK_JOB_CANCELLED") reject(lost(this.#vm.name, { error: "it was cancelled" }));
    });
    return {
      forget,
      async within(milliseconds, signal) {
        const deadline = sleep(milliseconds, undefined, { signal }).then(() => {
          throw lost(job, { error: "it does not end" });
        });
        return Promise.race([promise, deadline]);
      },
    };
  }
}

const lost = (name: string, job: Partial<Pick<BlockJob, "error">> | undefined): OdoroboError =>
  new OdoroboError(
    "HYPERVISOR_FAILED",
    `a disk of ${name} could not be copied: ${job?.error ?? "the connection was lost"}`,
    {
      hint: "is there room on the other node, and is the link between them up?",
    },
  );
