/** A gateway in a process of its own, and what it tells, as events to wait for. Disposing ends it. */
import { fork } from "node:child_process";
import { createHmac, randomBytes, randomUUID } from "node:crypto";
import { once } from "node:events";
import { mkdtemp, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { Pool } from "undici";
import { nodeFlags } from "../command-line.ts";
import type { Bench } from "../scenario.ts";
import type { GatewayAsked, GatewayTold } from "./told.ts";

type Told<Kind extends GatewayTold["kind"]> = Extract<GatewayTold, { readonly kind: Kind }>;

export interface GatewayChild extends AsyncDisposable {
  readonly url: string;
  /** All that it has told until now, in order. */
  readonly told: readonly GatewayTold[];
  /** A webhook of a push, as GitHub sends them. Rejects when it is not taken. */
  hook(commit: string): Promise<void>;
  /** The next one of this kind that is told after `since` of its words, and for which this holds. Rejects when it ends, or after ten minutes. */
  next<Kind extends GatewayTold["kind"]>(
    kind: Kind,
    since: number,
    holds?: (told: Told<Kind>) => boolean,
  ): Promise<Told<Kind>>;
  use(): Promise<Told<"used">>;
}

const DEADLINE_MS = 600_000;
/** As a forge does: it does not open more and more when it is answered slowly. */
const FORGE_CONNECTIONS = 8;
/** Nobody is asked because of the time: what is measured is what is told. */
const INTERVAL_MS = 3_600_000;

export interface GatewaySettings {
  /** As the fleet's own policy says; else nothing is ever done. */
  readonly mayAct: boolean;
  /** The second between two looks at the repository is not waited for. */
  readonly looksAtOnce?: boolean;
}

export async function startGatewayChild(
  url: string,
  { mayAct, looksAtOnce = false }: GatewaySettings,
  bench: Bench,
): Promise<GatewayChild> {
  const data = await mkdtemp(join(bench.scratch, "gw"));
  const ceiling = mayAct ? null : { auto: "none", approve: [] };
  const secretFile = join(data, "secret");
  const secret = randomBytes(16).toString("hex");
  await writeFile(secretFile, secret, { mode: 0o600 });
  const settings = JSON.stringify({ url, data, ceiling, intervalMs: INTERVAL_MS, secretFile, looksAtOnce });
  const { root, env } = bench.ours;
  const child = fork(join(root, "bench/processes/gateway.ts"), [settings], {
    env,
    execArgv: nodeFlags(root),
    stdio: ["ignore", "ignore", "inherit", "ipc"],
  });
  const ended = once(child, "exit");
  const kill = () => void child.kill("SIGKILL");
  bench.signal.addEventListener("abort", kill);
  const told: GatewayTold[] = [];
  let wake = () => {};
  child.on("message", (message) => {
    told.push(message as GatewayTold);
    wake();
  });
  void ended.then(() => wake());
  const next: GatewayChild["next"] = async (kind, since, holds = () => true) => {
    const end = performance.now() + DEADLINE_MS;
    for (let at = since; ; ) {
      for (; at < told.length; at++) {
        const each = told[at] as GatewayTold;
        if (each.kind === kind && holds(each as Told<typeof kind>)) return each as Told<typeof kind>;
      }
      if (child.exitCode !== null || child.signalCode !== null) throw new Error("the gateway ended");
      if (performance.now() > end) throw new Error(`the gateway has not told of ${kind}`);
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, 10_000);
        wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
  };
  const { url: address } = await next("ready", 0);
  const forge = new Pool(address, { connections: FORGE_CONNECTIONS });
  return {
    url: address,
    told,
    async hook(commit) {
      const delivery = randomUUID();
      const body = JSON.stringify({ ref: "refs/heads/main", after: commit, delivery });
      const answer = await forge.request({
        method: "POST",
        path: "/v1/hooks/bench",
        body,
        headers: {
          "content-type": "application/json",
          "x-github-event": "push",
          "x-github-delivery": delivery,
          "x-hub-signature-256": `sha256=${createHmac("sha256", secret).update(body).digest("hex")}`,
        },
      });
      const text = await answer.body.text();
      if (answer.statusCode !== 202) throw new Error(`the webhook was answered ${answer.statusCode}: ${text}`);
    },
    next,
    use: () => {
      const since = told.length;
      child.send("use" satisfies GatewayAsked);
      return next("used", since);
    },
    async [Symbol.asyncDispose]() {
      bench.signal.removeEventListener("abort", kill);
      await forge.close();
      if (child.connected) child.disconnect();
      await ended;
    },
  };
}
