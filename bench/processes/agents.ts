/** Agents that only report, each behind its own socket, until the parent lets go. */
import { mkdir } from "node:fs/promises";
import { parseAgentConfig } from "../../src/agent/config.ts";
import { createAgentDoctor } from "../../src/agent/doctor.ts";
import { NO_AUDIT } from "../../src/agent/http/audit/audit-trail.ts";
import { createHandler } from "../../src/agent/http/handler.ts";
import { serve } from "../../src/agent/http/node-server.ts";
import { vmPaths } from "../../src/agent/launch-command.ts";
import { systemClock } from "../../src/platform/clock.ts";
import { IN_PROCESS } from "../../src/platform/http/door/caller.ts";
import { parseListenAddress } from "../../src/platform/http/listen-address.ts";
import { silentLogger } from "../../src/platform/logger.ts";
import { cannedLifecycle } from "../canned-agent.ts";
import { nodeNameOf, socketOf } from "../fleet-texts.ts";

const [reports = "", sockets = "", count = "0"] = process.argv.slice(2);
await mkdir(sockets, { recursive: true });
const servers = new AsyncDisposableStack();
for (let index = 0; index < Number(count); index++) {
  const nodeName = nodeNameOf(index);
  const lifecycle = cannedLifecycle(reports, nodeName);
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
process.once("disconnect", async () => {
  await servers.disposeAsync();
  process.exit(0);
});
process.send?.("ready");
