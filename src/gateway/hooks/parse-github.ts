/** https://docs.github.com/en/webhooks/webhook-events-and-payloads, and Gitea's and Forgejo's, which follow it. */
import type { HookEvent } from "./hook-event.ts";
import type { Json } from "./hook-payload.ts";
import { other, type PullRequest, pullRequest, push, word } from "./hook-words.ts";

/** GitHub, and Gitea and Forgejo, which say it in its words but for `synchronized`. */
const GITHUB_ACTIONS: Readonly<Record<string, PullRequest["action"]>> = {
  opened: "opened",
  reopened: "opened",
  synchronize: "updated",
  synchronized: "updated",
  edited: "updated",
  ready_for_review: "updated",
  closed: "closed",
};

export function parseGitHub(event: string, payload: Json): readonly HookEvent[] {
  if (event === "ping") return [{ kind: "ping" }];
  if (event === "push") return [push(payload.get("ref").text, payload.get("after").text)];
  // Where a ref is deleted or made without a push, Gitea says so by events of their own, with the short name.
  if (event !== "pull_request") return [other(event)];
  const pull = payload.get("pull_request");
  const action = payload.get("action").text ?? "";
  const known = Object.hasOwn(GITHUB_ACTIONS, action) ? GITHUB_ACTIONS[action] : undefined;
  return [
    pullRequest(word(`${event} ${action}`), known, {
      number: payload.get("number").number ?? pull.get("number").number,
      head: pull.get("head", "ref").text,
      commit: pull.get("head", "sha").text,
      base: pull.get("base", "ref").text,
    }),
  ];
}
