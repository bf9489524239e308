/**
 * A gateway in a process of its own, as `odorobo gateway` composes it, that tells its parent what it does and when: instants of the
 * clock that all processes of this machine share. Runs until the parent lets go.
 *
 * Argument: what it is started with, as JSON.
 */
import module from "node:module";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import type { Sleep } from "../../src/platform/sleep.ts";
import { type GatewayAsked, type GatewayTold, monotonicMs } from "../gateway/told.ts";

module.enableCompileCache();
setFlagsFromString("--expose-gc");
const collectGarbage = runInNewContext("gc") as () => void;

const { useNativeDigests } = await import("../../src/platform/native-digests.ts");
const { startGateway } = await import("../../src/gateway/service/gateway.ts");
const { parseListenAddress } = await import("../../src/platform/http/listen-address.ts");
const { silentLogger } = await import("../../src/platform/logger.ts");
const { systemClock } = await import("../../src/platform/clock.ts");
const { FileRunStore } = await import("../../src/run-store/file-run-store.ts");

const { GitSource } = await import("../../src/gateway/sources/git-source.ts");
const { Repository } = await import("../../src/source/repository.ts");
const { systemSleep } = await import("../../src/platform/sleep.ts");

useNativeDigests();
const { url, data, ceiling, intervalMs, secretFile, looksAtOnce } = JSON.parse(process.argv[2] ?? "") as {
  url: string;
  data: string;
  ceiling: { auto: "none"; approve: [] } | null;
  intervalMs: number;
  secretFile: string;
  /** The second between two looks at a repository is not waited for. */
  looksAtOnce: boolean;
};
const atOnce: Sleep = (milliseconds, signal) => systemSleep(milliseconds <= 1_000 ? 0 : milliseconds, signal);
const tell = (told: GatewayTold) => void process.send?.(told);

const gateway = await startGateway(
  {
    listen: parseListenAddress("127.0.0.1:0"),
    dataFolder: data,
    publicUrl: null,
    door: { tokenFile: null, accessFile: null, tls: null },
    fleets: [
      {
        name: "bench",
        repository: { url, ref: null, path: null },
        intervalMs,
        requireSigned: null,
        allowRewind: false,
        ceiling,
        forge: { kind: "github", api: null, hookSecretFile: secretFile, pullRequests: false },
        notify: [],
        // A machine that is busy with other things makes no agent silent.
        agents: { answerMs: 60_000 },
      },
    ],
  },
  {
    runs: new FileRunStore(`${data}/state`),
    clock: systemClock,
    log: silentLogger,
    hardSignal: new AbortController().signal,
    ...(looksAtOnce && {
      openSource: ({ repository }, onTrouble) => {
        const options = { ref: null, path: null, intervalMs, jitter: () => 0, allowRewind: false, requireSigned: null };
        return new GitSource(
          new Repository({ url: repository.url }, data),
          { ...options, clock: systemClock, sleep: atOnce },
          onTrouble,
        );
      },
    }),
    watchersOf: () => [
      {
        told(told) {
          if (told.kind !== "revision") return;
          const { id, standing } = told.revision;
          tell({ kind: "revision", at: monotonicMs(), revision: id, standing });
        },
        asked() {},
        changed() {},
        seen({ plan }) {
          tell({ kind: "planned", at: monotonicMs(), commit: plan.base.commit, steps: plan.steps.length });
        },
        applying(event) {
          if (event.event === "step-started") tell({ kind: "step", at: monotonicMs() });
        },
      },
    ],
  },
);
process.on("message", (_: GatewayAsked) => {
  collectGarbage();
  const { rss, heapUsed } = process.memoryUsage();
  const { user, system } = process.cpuUsage();
  tell({
    kind: "used",
    rss,
    heapUsed,
    cpuMs: (user + system) / 1_000,
    peakMiB: process.resourceUsage().maxRSS / 1_024,
  });
});
process.once("disconnect", async () => {
  await gateway[Symbol.asyncDispose]();
  process.exit(0);
});
tell({ kind: "ready", url: gateway.url });
