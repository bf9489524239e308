/** Agents that only report, each behind its own socket, until the parent lets go. */
import { mkdir } from "node:fs/promises";
import { createGate } from "../../src/agent/http/gate.ts";
import { createHandler } from "../../src/agent/http/handler.ts";
import { serve } from "../../src/agent/http/node-server.ts";
import { parseListenAddress } from "../../src/agent/listen-address.ts";
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
      handler: createHandler({ lifecycle, nodeName, version: "bench", log: silentLogger, stopping }),
      gate: createGate({ token: null, clientCertificates: false }),
      tls: null,
      log: silentLogger,
      upgrade: async (_request, socket) => void socket.destroy(),
    }),
  );
}
process.once("disconnect", async () => {
  await servers.disposeAsync();
  process.exit(0);
});
process.send?.("ready");
