/**
 * The demo's forge: takes commit statuses and comments as Forgejo does, shows them, and sends signed webhooks. It has no pages and no accounts, and
 * refuses what Forgejo would refuse.
 */
import { createHmac, randomUUID } from "node:crypto";
import { once } from "node:events";
import { createServer, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";

export interface ToldStatus {
  readonly commit: string;
  readonly context: string;
  readonly state: string;
  readonly line: string;
}

export interface StandInForge extends AsyncDisposable {
  readonly url: string;
  readonly repository: string;
  readonly token: string;
  readonly hookSecret: string;
  readonly statuses: readonly ToldStatus[];
  /** At the pull request; null: none yet. */
  comment(): { readonly id: number; readonly body: string } | null;
  /** Null: none is open. */
  pull: { readonly number: number; readonly branch: string; readonly commit: string } | null;
  /** Tells the gateway, as a forge does. Rejects when it does not believe it. */
  send(hook: string, event: string, payload: object): Promise<void>;
}

const REPOSITORY = "team/fleet";
const USER = "odorobo-bot";
const STATES = new Set(["pending", "success", "error", "failure", "warning"]);

type Answer = readonly [status: number, json: unknown];

export async function startStandInForge(onStatus: (status: ToldStatus) => void): Promise<StandInForge> {
  const [token, hookSecret] = [randomUUID(), randomUUID()];
  const statuses: ToldStatus[] = [];
  const comments: { readonly id: number; body: string }[] = [];
  const show = ({ id, body }: (typeof comments)[number]) => ({ id, body, user: { login: USER } });

  const answer = (method: string, path: string, body: unknown): Answer => {
    if (path === "/user") return [200, { login: USER }];
    const rest = path.slice(`/repos/${REPOSITORY}`.length);
    if (!path.startsWith(`/repos/${REPOSITORY}`)) return [404, { message: "Not Found" }];
    if (rest === "") return [200, { full_name: REPOSITORY }];
    const commit = /^\/statuses\/([0-9a-f]{40})$/.exec(rest)?.[1];
    if (commit !== undefined && method === "POST") return take(commit, body);
    if (rest === "/pulls") return [200, forge.pull === null ? [] : [showPull(forge.pull)]];
    if (/^\/issues\/\d+\/comments$/.test(rest)) {
      if (method === "GET") return [200, comments.map(show)];
      const comment = { id: comments.length + 1, body: textOf(body, "body") };
      comments.push(comment);
      return [201, show(comment)];
    }
    const comment = comments.find(({ id }) => rest === `/issues/comments/${id}`);
    if (comment === undefined || method !== "PATCH") return [404, { message: "Not Found" }];
    comment.body = textOf(body, "body");
    return [200, show(comment)];
  };

  const take = (commit: string, body: unknown): Answer => {
    const [state, context, line] = ["state", "context", "description"].map((field) => textOf(body, field)) as [
      string,
      string,
      string,
    ];
    if (!STATES.has(state)) return [422, { message: `state ${state} is not in the list` }];
    const status = { commit, state, context, line };
    statuses.push(status);
    onStatus(status);
    return [201, { id: statuses.length, status: state, context, description: line }];
  };

  const server = createServer(async (request, response) => {
    const { pathname } = new URL(request.url ?? "/", "http://forge");
    const isOurs = request.headers.authorization?.split(" ")[1] === token && pathname.startsWith("/api/v1/");
    const [status, json] = isOurs
      ? answer(request.method ?? "", pathname.slice("/api/v1".length), await read(request))
      : [401, { message: "token is required" }];
    response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(json));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");

  const forge: StandInForge = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    ...{ repository: REPOSITORY, token, hookSecret, statuses },
    pull: null,
    comment: () => comments.at(-1) ?? null,
    async send(hook, event, payload) {
      const body = JSON.stringify(payload);
      const signature = createHmac("sha256", hookSecret).update(body).digest("hex");
      const named = Object.fromEntries(
        ["gitea", "forgejo"].flatMap((kind) => [
          [`x-${kind}-event`, event],
          [`x-${kind}-delivery`, randomUUID()],
          [`x-${kind}-signature`, signature],
        ]),
      );
      const headers = { "content-type": "application/json", ...named };
      const { status } = await fetch(hook, { method: "POST", headers, body });
      if (status !== 202) throw new Error(`the gateway answered ${status} to the webhook`);
    },
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
  return forge;
}

const showPull = ({ number, branch, commit }: NonNullable<StandInForge["pull"]>) => ({
  number,
  state: "open",
  head: { ref: branch, sha: commit, repo: { full_name: REPOSITORY } },
  base: { ref: "main", repo: { full_name: REPOSITORY } },
});

async function read(request: IncomingMessage): Promise<unknown> {
  const text = Buffer.concat(await request.toArray()).toString("utf8");
  return text === "" ? null : JSON.parse(text);
}

const textOf = (body: unknown, field: string): string =>
  String((body as Readonly<Record<string, unknown>> | null)?.[field] ?? "");
