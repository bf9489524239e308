/**
 * A server in a process of its own whose one route slips past every catch in a way that its query names.
 * Run by `test/agent/http/slips.test.ts`: node slipping-server.ts; says its port on stdout, and logs on stderr.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { NO_AUDIT } from "../../src/agent/http/audit/audit-trail.ts";
import { serve } from "../../src/agent/http/node-server.ts";
import { systemClock } from "../../src/platform/clock.ts";
import { IN_PROCESS } from "../../src/platform/http/door/caller.ts";
import { parseListenAddress } from "../../src/platform/http/listen-address.ts";
import { catchSlips } from "../../src/platform/http/slips.ts";
import { openLog } from "../../src/platform/pino-log.ts";

const NEVER = new Promise<never>(() => {});
const slip = (): never => {
  throw new Error("a slip");
};

const SLIPS: Readonly<Record<string, () => Promise<Response>>> = {
  rejection: () => {
    void sleep(1).then(slip);
    return NEVER;
  },
  timer: () => {
    setTimeout(slip, 1);
    return NEVER;
  },
  interval: () => {
    const timer = setInterval(() => {
      clearInterval(timer);
      slip();
    }, 1);
    return NEVER;
  },
  tick: () => {
    process.nextTick(slip);
    return NEVER;
  },
  listener: () => {
    const target = new EventTarget();
    target.addEventListener("x", slip);
    setImmediate(() => target.dispatchEvent(new Event("x")));
    return NEVER;
  },
  "after-the-answer": async () => {
    setTimeout(slip, 5);
    return new Response("fine", { headers: { "content-length": "4" } });
  },
  "in-a-stream": async () =>
    new Response(
      new ReadableStream({
        start(controller) {
          controller.enqueue(new TextEncoder().encode("so far"));
          setTimeout(slip, 1);
        },
      }),
    ),
};

const log = openLog({ level: "info", format: "json" });
catchSlips(log);
const server = await serve({
  addresses: [parseListenAddress("127.0.0.1:0")],
  handler: async (request) => {
    const how = new URL(request.url).searchParams.get("how");
    return how === null ? new Response("alive", { headers: { "content-length": "5" } }) : SLIPS[how]!();
  },
  gate: async () => IN_PROCESS,
  tls: null,
  log,
  clock: systemClock,
  audit: NO_AUDIT,
  upgrade: async () => {
    setTimeout(slip, 1);
    await NEVER;
  },
});
process.stdout.write(`${server.urls[0]}\n`);
// One that no request made: it ends the process, as it should.
process.once("SIGUSR2", () => setImmediate(slip));
