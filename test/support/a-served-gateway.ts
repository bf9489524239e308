/** A gateway in this process with one fleet of noop guests, and somebody who asks it: by a token, by a cookie, or as a browser does. */
import { chmod, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type GatewayParts, type RunningGateway, startGateway } from "../../src/gateway/service/gateway.ts";
import type { FleetConfig, GatewayConfig } from "../../src/gateway/service/gateway-config.ts";
import type { Role } from "../../src/model/role.ts";
import { systemClock } from "../../src/platform/clock.ts";
import { sha256 } from "../../src/platform/http/door/access-file.ts";
import { parseListenAddress } from "../../src/platform/http/listen-address.ts";
import { type Logger, silentLogger } from "../../src/platform/logger.ts";
import { FileRunStore } from "../../src/run-store/file-run-store.ts";
import { aLiveFleet, type LiveFleet } from "./a-live-fleet.ts";
import { commitFiles, git } from "./a-repository.ts";

export interface Asked {
  readonly status: number;
  readonly headers: Headers;
  // biome-ignore lint/suspicious/noExplicitAny: documents of many kinds, each compared as it is.
  readonly json: any;
  readonly text: string;
}

export interface ServedGateway extends AsyncDisposable {
  readonly url: string;
  readonly fleet: LiveFleet;
  readonly gateway: RunningGateway;
  /** `who`: a name of the access file, a cookie (`name=value`), or nobody. */
  ask(path: string, who?: string | null, init?: RequestInit): Promise<Asked>;
  /** Cookie of a new session of that person. */
  signIn(who: string): Promise<string>;
  /** Writes the access file anew. */
  letIn(people: Readonly<Record<string, Role>>): Promise<void>;
  /** Commits what the folder says now. */
  push(): Promise<string>;
  /** With the same data folder and port. */
  restart(): Promise<void>;
}

export interface ServedOptions {
  readonly people?: Readonly<Record<string, Role>>;
  readonly fleet?: Partial<FleetConfig>;
  readonly config?: Partial<GatewayConfig>;
  readonly nodes?: readonly string[];
  readonly log?: Logger;
  readonly parts?: Partial<GatewayParts>;
  readonly prepare?: (fleet: LiveFleet) => Promise<void>;
}

/** The token of a person is `token-NAME`. */
const PEOPLE: Readonly<Record<string, Role>> = { ann: "apply", bob: "apply", olga: "observe" };

export async function aServedGateway(options: ServedOptions = {}): Promise<ServedGateway> {
  await using opened = new AsyncDisposableStack();
  const fleet = opened.use(await aLiveFleet(...(options.nodes ?? ["n1"])));
  await options.prepare?.(fleet);
  await git(fleet.folder, "init", "--quiet", "--initial-branch=main");
  await commitFiles(fleet.folder, {});
  const accessFile = join(fleet.scratch, "people");
  const letIn = async (people: Readonly<Record<string, Role>>) => {
    const lines = Object.entries(people).map(
      ([name, role]) => `${name} ${role} sha256:${sha256(`token-${name}`).toString("hex")}\n`,
    );
    await writeFile(accessFile, lines.join(""));
    await chmod(accessFile, 0o600);
  };
  await letIn(options.people ?? PEOPLE);
  const data = join(fleet.scratch, "gateway");
  const entry: FleetConfig = {
    name: "shop",
    repository: { url: fleet.folder, ref: "main", path: null },
    intervalMs: 300,
    requireSigned: null,
    allowRewind: false,
    ceiling: null,
    forge: null,
    notify: [],
    // A machine that is busy with other tests makes no agent silent.
    agents: { answerMs: 60_000 },
    ...options.fleet,
  };
  const start = (listen: string) =>
    startGateway(
      {
        listen: parseListenAddress(listen),
        dataFolder: data,
        publicUrl: null,
        door: { tokenFile: null, accessFile, tls: null },
        fleets: [entry],
        ...options.config,
      },
      {
        runs: new FileRunStore(data),
        clock: systemClock,
        log: options.log ?? silentLogger,
        hardSignal: new AbortController().signal,
        ...options.parts,
      },
    );
  let gateway = await start("127.0.0.1:0");
  opened.defer(() => gateway[Symbol.asyncDispose]());
  const { url } = gateway;
  const ask: ServedGateway["ask"] = async (path, who = null, init = {}) => {
    const headers = new Headers(init.headers);
    if (who?.includes("=")) headers.set("cookie", who);
    else if (who !== null) headers.set("authorization", `Bearer token-${who}`);
    const answer = await fetch(url + path, { redirect: "manual", ...init, headers });
    const text = await answer.text();
    return {
      status: answer.status,
      headers: answer.headers,
      text,
      json: answer.headers.get("content-type")?.startsWith("application/json") ? JSON.parse(text) : null,
    };
  };
  const owned = opened.move();
  return {
    url,
    fleet,
    get gateway() {
      return gateway;
    },
    ask,
    letIn,
    async signIn(who) {
      const body = JSON.stringify({ token: `token-${who}` });
      const headers = { "content-type": "application/json", origin: url };
      const { status, headers: given, text } = await ask("/v1/session", null, { method: "POST", headers, body });
      if (status !== 201) throw new Error(`${who} cannot sign in: ${text}`);
      return given.getSetCookie()[0]!.split(";")[0]!;
    },
    push: () => commitFiles(fleet.folder, {}),
    async restart() {
      await gateway[Symbol.asyncDispose]();
      gateway = await start(new URL(url).host);
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}
