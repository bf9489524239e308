/**
 * Agents that only report, each behind its own socket, until the parent lets go. `{ drift: NODE }` changes the CPUs of a guest there, and the
 * next one changes them back; its event is sent.
 */
import { mkdir } from "node:fs/promises";
import { parseAgentConfig } from "../../src/agent/config.ts";
import { createAgentDoctor } from "../../src/agent/doctor.ts";
import { NO_AUDIT } from "../../src/agent/http/audit/audit-trail.ts";
import { createHandler } from "../../src/agent/http/handler.ts";
import { serve } from "../../src/agent/http/node-server.ts";
import { vmPaths } from "../../src/agent/launch-command.ts";
import { createEventLog, type WritableEventLog } from "../../src/agent/lifecycle/parts/event-log.ts";
import type { NodeReport } from "../../src/model/observed-state.ts";
import { systemClock } from "../../src/platform/clock.ts";
import { IN_PROCESS } from "../../src/platform/http/door/caller.ts";
import { parseListenAddress } from "../../src/platform/http/listen-address.ts";
import { silentLogger } from "../../src/platform/logger.ts";
import { cannedLifecycle } from "../canned-agent.ts";
import { nodeNameOf, socketOf } from "../fleet-texts.ts";

const [reports = "", sockets = "", count = "0"] = process.argv.slice(2);
await mkdir(sockets, { recursive: true });
const servers = new AsyncDisposableStack();
const drifts = new Map<string, number>();
const logs = new Map<string, WritableEventLog>();
for (let index = 0; index < Number(count); index++) {
  const nodeName = nodeNameOf(index);
  const events = createEventLog(systemClock, silentLogger);
  logs.set(nodeName, events);
  const lifecycle = cannedLifecycle(reports, nodeName, {
    events,
    now: (report) => drifted(report, drifts.get(nodeName)),
  });
  const stopping = new AbortController().signal;
  servers.use(
    await serve({
      addresses: [parseListenAddress(`unix://${socketOf(sockets, nodeName)}`)],
      handler: createHandler({
        lifecycle,
        nodeName,
        version: "bench",
        log: silentLogger,
        clock: systemClock,
        stopping,
        paths: (name) => vmPaths({ dataFolder: "/", runFolder: "/" }, name),
        urls: () => [],
        allowedRoots: [],
        doctor: createAgentDoctor(parseAgentConfig({ name: nodeName }), lifecycle, {
          version: "bench",
          clock: systemClock,
        }),
      }),
      gate: async () => IN_PROCESS,
      tls: null,
      log: silentLogger,
      clock: systemClock,
      audit: NO_AUDIT,
      upgrade: async (_request, socket) => void socket.destroy(),
    }),
  );
}
process.on("message", ({ drift }: { drift: string }) => {
  drifts.set(drift, (drifts.get(drift) ?? 0) + 1);
  logs.get(drift)?.emit({ kind: "drift", vm: null, message: "a guest has other CPUs" });
});

function drifted(report: NodeReport, times = 0): NodeReport {
  const [first, ...others] = report.vms;
  if (times === 0 || first === undefined || first.live === null) return report;
  const { count, max } = first.live.cpus;
  const live = { ...first.live, cpus: { count: times % 2 === 0 ? count : count + 1, max } };
  return { ...report, vms: [{ ...first, serial: first.serial + times, live }, ...others] };
}

process.once("disconnect", async () => {
  await servers.disposeAsync();
  process.exit(0);
});
process.send?.("ready");
