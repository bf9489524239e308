/**
 * A stand-in of a forge on loopback: checks what it is told as the real one does, keeps it, and has bad days when told to. Its token
 * is in a file, so what talks to it is configured as for a real one.
 *
 *   await using forge = await aForge("gitea");
 *   forge.badDays("hang", { status: 429, retryAfter: 1 });   // for the next two requests
 *   forge.latest(commit) // { state, line, … }
 */
import { writeFile } from "node:fs/promises";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import type { ApiKind, ForgeConfig } from "../../../src/gateway/forge/forge.ts";
import { aTempFolder } from "../temp-folder.ts";
import { answerBitbucket } from "./bitbucket-routes.ts";
import {
  type Answered,
  type Asked,
  type ForgeComment,
  type ForgePull,
  ForgeSays,
  type ForgeState,
  type ToldStatus,
} from "./forge-state.ts";
import { answerGitHub } from "./github-routes.ts";
import { answerGitLab } from "./gitlab-routes.ts";

/** `hang`: no answer until it is stopped. `reset`: the connection is cut. `html`: 200, and a page. `nothing`: 200, and no body. */
export type BadDay =
  | "hang"
  | "reset"
  | "html"
  | {
      readonly status: number;
      readonly retryAfter?: number;
      readonly headers?: Readonly<Record<string, string>>;
      readonly json?: unknown;
    };

export interface AForge extends AsyncDisposable {
  readonly kind: ApiKind;
  readonly url: string;
  /** For `openForge` and gateway.yaml. */
  readonly config: ForgeConfig;
  readonly token: string;
  /** Whose comments ours are. */
  readonly user: string;
  /** All that were taken, in the order in which they came. */
  readonly statuses: readonly ToldStatus[];
  /** Every request with what was answered; `0`: nothing was. */
  readonly requests: readonly { readonly method: string; readonly path: string; readonly status: number }[];
  /** What stands at a commit; `context`: any, if there is only one. */
  latest(commit: string, context?: string): ToldStatus | undefined;
  openPull(pull: Omit<ForgePull, "fork"> & { readonly fork?: string }): void;
  movePull(number: number, commit: string): void;
  closePull(number: number): void;
  comments(number: number): readonly ForgeComment[];
  /** As somebody else. */
  say(number: number, author: string, body: string): void;
  /** For the next requests, one each, whatever they ask. */
  badDays(...days: readonly BadDay[]): void;
}

export interface ForgeSettings {
  readonly repository?: string;
  /** Which commits there are. Default: all. */
  readonly isKnown?: (commit: string) => boolean;
}

export async function aForge(kind: ApiKind, settings: ForgeSettings = {}): Promise<AForge> {
  const folder = await aTempFolder();
  const state: ForgeState = {
    repository: settings.repository ?? "shop/fleet",
    token: "forge-token-of-the-test",
    user: "odorobo-bot",
    statuses: [],
    pulls: new Map(),
    comments: new Map(),
    isKnown: settings.isKnown ?? (() => true),
    nextId: 1,
  };
  const days: BadDay[] = [];
  const requests: { method: string; path: string; status: number }[] = [];
  const server = createServer((request, response) => void answer(request, response));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const tokenFile = join(folder.path, "token");
  await writeFile(tokenFile, `${state.token}\n`, { mode: 0o600 });

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const asked = await read(request);
    const note = { method: asked.method, path: asked.path, status: 0 };
    requests.push(note);
    const day = days.shift();
    if (day === "hang") return;
    if (day === "reset") {
      request.socket.resetAndDestroy();
      return;
    }
    const { status, json, headers } = day === undefined ? answerOf(kind, state, asked) : badAnswer(day);
    note.status = status;
    const isPage = typeof json === "string";
    const text = isPage ? json : JSON.stringify(json);
    response.writeHead(status, { "content-type": isPage ? "text/html" : "application/json", ...headers });
    response.end(text);
  }

  return {
    kind,
    url,
    config: { kind, url, repository: state.repository, tokenFile },
    token: state.token,
    user: state.user,
    statuses: state.statuses,
    requests,
    latest: (commit, context) =>
      state.statuses.findLast((each) => each.commit === commit && (context === undefined || each.context === context)),
    openPull: ({ fork, ...pull }) => {
      state.pulls.set(pull.number, { ...pull, fork: fork ?? null });
      if (!state.comments.has(pull.number)) state.comments.set(pull.number, []);
    },
    movePull: (number, commit) => {
      const pull = state.pulls.get(number);
      if (pull === undefined) throw new Error(`there is no pull request ${number}`);
      pull.commit = commit;
    },
    closePull: (number) => void state.pulls.delete(number),
    comments: (number) => state.comments.get(number) ?? [],
    say: (number, author, body) => void state.comments.get(number)?.push({ id: state.nextId++, author, body }),
    badDays: (...more) => void days.push(...more),
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
      await folder[Symbol.asyncDispose]();
    },
  };
}

function answerOf(kind: ApiKind, state: ForgeState, asked: Asked): Answered {
  try {
    if (kind === "gitlab") return answerGitLab(state, asked);
    if (kind === "bitbucket") return answerBitbucket(state, asked);
    return answerGitHub(kind, state, asked);
  } catch (error) {
    if (error instanceof ForgeSays) return error.answer;
    return { status: 500, json: { message: `the stand-in: ${error}` } };
  }
}

const PAGE = "<!doctype html><title>Sign in</title><p>Sign in, please.";

function badAnswer(day: Exclude<BadDay, "hang" | "reset">): Answered {
  if (day === "html") return { status: 200, json: PAGE };
  const { status, retryAfter, headers, json } = day;
  const after = retryAfter === undefined ? {} : { "retry-after": String(retryAfter) };
  return { status, json: json ?? (status >= 500 ? PAGE : { message: "no" }), headers: { ...after, ...headers } };
}

async function read(request: IncomingMessage): Promise<Asked> {
  const url = new URL(request.url ?? "/", "http://forge");
  const text = Buffer.concat(await request.toArray()).toString("utf8");
  const isJson = /^application\/json\b/.test(String(request.headers["content-type"] ?? ""));
  return {
    method: request.method ?? "",
    path: url.pathname,
    query: url.searchParams,
    headers: request.headers,
    body: text === "" || !isJson ? undefined : JSON.parse(text),
  };
}
