/** Webhooks as each forge sends them, by its documentation: headers, payload and signature. Shapes are ours, names are theirs. */
import { createHmac, randomUUID } from "node:crypto";
import type { ForgeKind } from "../../src/gateway/hooks/hook-event.ts";

export interface SentHook {
  readonly headers: Record<string, string>;
  readonly body: Buffer;
}

export interface HookSettings {
  /** A GitLab one that begins with `whsec_` signs; null: not signed at all. */
  readonly secret: string | null;
  readonly asForm?: boolean;
  /** Seconds since 1970, where the scheme has it. */
  readonly sentAt?: number;
  readonly id?: string;
}

export const COMMIT_A = "a".repeat(40);
export const COMMIT_B = "b".repeat(40);
const NONE = "0".repeat(40);
const BASE = "https://forge.example.net/shop/fleet";

type Payload = Readonly<Record<string, unknown>>;

const PERSON = { id: 7, login: "ann", username: "ann", name: "Ann", email: "ann@example.net" };
const repository = (kind: ForgeKind): Payload =>
  kind === "bitbucket"
    ? { type: "repository", full_name: "shop/fleet", name: "fleet", uuid: "{1}", links: { html: { href: BASE } } }
    : { id: 1, name: "fleet", full_name: "shop/fleet", owner: PERSON, html_url: BASE, default_branch: "main" };

/** `commit` null: the ref is deleted. */
export function pushPayload(kind: ForgeKind, ref: string, commit: string | null, before = COMMIT_A): Payload {
  const after = commit ?? NONE;
  const commits =
    commit === null ? [] : [{ id: commit, message: "more\n", url: `${BASE}/commit/${commit}`, author: PERSON }];
  switch (kind) {
    case "generic":
      return { ref, commit: after };
    case "gitlab":
      return {
        object_kind: "push",
        event_name: "push",
        before,
        after,
        ref,
        checkout_sha: commit,
        user_id: 7,
        project_id: 1,
        project: { id: 1, path_with_namespace: "shop/fleet", default_branch: "main" },
        commits,
        total_commits_count: commits.length,
      };
    case "bitbucket": {
      const place = (hash: string) => ({
        type: ref.startsWith("refs/tags/") ? "tag" : "branch",
        name: ref.replace(/^refs\/(heads|tags)\//, ""),
        target: { type: "commit", hash, message: "more\n" },
      });
      const change = {
        old: place(before),
        new: commit === null ? null : place(commit),
        created: false,
        closed: commit === null,
        forced: false,
      };
      return { push: { changes: [change] }, repository: repository(kind), actor: PERSON };
    }
    default:
      return {
        ref,
        before,
        after,
        compare_url: `${BASE}/compare`,
        commits,
        head_commit: commits[0] ?? null,
        repository: repository(kind),
        pusher: PERSON,
        sender: PERSON,
      };
  }
}

export interface SaidPull {
  readonly number: number;
  /** In the forge's own word. */
  readonly action: string;
  readonly head: string;
  readonly commit: string;
  readonly base: string;
}

export function pullPayload(kind: ForgeKind, { number, action, head, commit, base }: SaidPull): Payload {
  switch (kind) {
    case "gitlab":
      return {
        object_kind: "merge_request",
        event_type: "merge_request",
        user: PERSON,
        project: { id: 1, path_with_namespace: "shop/fleet" },
        object_attributes: {
          id: 9_000 + number,
          iid: number,
          action,
          state: "opened",
          source_branch: head,
          target_branch: base,
          source_project_id: 1,
          target_project_id: 1,
          last_commit: { id: commit, message: "more\n" },
          url: `${BASE}/-/merge_requests/${number}`,
        },
      };
    case "bitbucket": {
      const end = (branch: string, hash: string) => ({
        branch: { name: branch },
        commit: { hash },
        repository: repository(kind),
      });
      const pullrequest = {
        type: "pullrequest",
        id: number,
        title: "More",
        state: "OPEN",
        source: end(head, commit),
        destination: end(base, COMMIT_A.slice(0, 12)),
      };
      return { pullrequest, repository: repository(kind), actor: PERSON };
    }
    default:
      return {
        action,
        number,
        pull_request: {
          id: 9_000 + number,
          number,
          state: "open",
          title: "More",
          user: PERSON,
          head: { label: head, ref: head, sha: commit, repo: repository(kind) },
          base: { label: base, ref: base, sha: COMMIT_A, repo: repository(kind) },
        },
        repository: repository(kind),
        sender: PERSON,
      };
  }
}

const hex = (secret: string, ...parts: readonly (string | Buffer)[]): string => mac(secret, ...parts).toString("hex");
function mac(secret: string | Buffer, ...parts: readonly (string | Buffer)[]): Buffer {
  const made = createHmac("sha256", secret);
  for (const part of parts) made.update(part);
  return made.digest();
}

/** `event`: as the forge calls it in its header. */
export function sendHook(kind: ForgeKind, event: string, payload: unknown, settings: HookSettings): SentHook {
  return sendBytes(kind, event, Buffer.from(JSON.stringify(payload)), settings);
}

export function sendBytes(kind: ForgeKind, event: string, json: Buffer, settings: HookSettings): SentHook {
  const { secret, asForm = false, id = randomUUID() } = settings;
  const body = asForm ? Buffer.from(new URLSearchParams({ payload: json.toString("utf8") }).toString()) : json;
  const type = { "content-type": asForm ? "application/x-www-form-urlencoded" : "application/json" };
  const sentAt = String(settings.sentAt ?? Math.floor(Date.now() / 1000));
  const sign = (make: (key: string) => Record<string, string>) => (secret === null ? {} : make(secret));
  return { body, headers: { ...type, ...headersOf() } };

  function headersOf(): Record<string, string> {
    switch (kind) {
      case "github":
        return {
          "x-github-event": event,
          "x-github-delivery": id,
          "x-github-hook-id": "1",
          ...sign((key) => ({
            "x-hub-signature-256": `sha256=${hex(key, body)}`,
            "x-hub-signature": `sha1=${"0".repeat(40)}`,
          })),
        };
      case "gitea":
      case "forgejo": {
        const signature = secret === null ? "" : hex(secret, body);
        const own =
          kind === "gitea"
            ? {}
            : { "x-forgejo-event": event, "x-forgejo-delivery": id, "x-forgejo-signature": signature };
        return {
          "x-gitea-event": event,
          "x-gitea-event-type": event,
          "x-gitea-delivery": id,
          "x-gitea-signature": signature,
          "x-hub-signature-256": `sha256=${signature}`,
          ...own,
        };
      }
      case "gitlab":
        return {
          "x-gitlab-event": event,
          "x-gitlab-event-uuid": id,
          "idempotency-key": id,
          ...sign((key): Record<string, string> => {
            if (!key.startsWith("whsec_")) return { "x-gitlab-token": key };
            const bytes = Buffer.from(key.slice("whsec_".length), "base64");
            const signature = mac(bytes, `${id}.${sentAt}.`, body).toString("base64");
            return { "webhook-id": id, "webhook-timestamp": sentAt, "webhook-signature": `v1,${signature}` };
          }),
        };
      case "bitbucket":
        return {
          "x-event-key": event,
          "x-hook-uuid": "1",
          "x-request-uuid": id,
          ...sign((key) => ({ "x-hub-signature": `sha256=${hex(key, body)}` })),
        };
      case "generic":
        return {
          "x-odorobo-timestamp": sentAt,
          ...sign((key) => ({ "x-odorobo-signature": `sha256=${hex(key, `${sentAt}.`, body)}` })),
        };
    }
  }
}

const PUSH_EVENTS: Readonly<Record<ForgeKind, string>> = {
  github: "push",
  gitea: "push",
  forgejo: "push",
  gitlab: "Push Hook",
  bitbucket: "repo:push",
  generic: "push",
};
const PULL_EVENTS: Readonly<Record<ForgeKind, (action: string) => string>> = {
  github: () => "pull_request",
  gitea: () => "pull_request",
  forgejo: () => "pull_request",
  gitlab: () => "Merge Request Hook",
  bitbucket: (action) => `pullrequest:${action}`,
  generic: () => "other",
};

export const pushHook = (kind: ForgeKind, ref: string, commit: string | null, settings: HookSettings): SentHook =>
  sendHook(kind, PUSH_EVENTS[kind], pushPayload(kind, ref, commit), settings);

export const pullHook = (kind: ForgeKind, said: SaidPull, settings: HookSettings): SentHook =>
  sendHook(kind, PULL_EVENTS[kind](said.action), pullPayload(kind, said), settings);
