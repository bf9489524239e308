/**
 * Bitbucket, in the Cloud and as Data Center, which says the same in other words. One push may move several refs.
 * https://support.atlassian.com/bitbucket-cloud/docs/event-payloads/ and
 * https://confluence.atlassian.com/bitbucketserver/event-payload-938025882.html
 */
import type { HookEvent } from "./hook-event.ts";
import type { Json } from "./hook-payload.ts";
import { other, type PullRequest, pullRequest, push } from "./hook-words.ts";

const ACTIONS: Readonly<Record<string, PullRequest["action"]>> = {
  "pullrequest:created": "opened",
  "pullrequest:updated": "updated",
  "pullrequest:fulfilled": "closed",
  "pullrequest:rejected": "closed",
  "pr:opened": "opened",
  "pr:from_ref_updated": "updated",
  "pr:to_ref_updated": "updated",
  "pr:modified": "updated",
  "pr:merged": "closed",
  "pr:declined": "closed",
  "pr:deleted": "closed",
};

const DELETED = "0".repeat(40);

/** `event`: of the header `X-Event-Key`. */
export function parseBitbucket(event: string, payload: Json): readonly HookEvent[] {
  if (event === "diagnostics:ping") return [{ kind: "ping" }];
  if (event === "repo:push") return someOf(payload.get("push", "changes").list.map(cloudPush), event);
  if (event === "repo:refs_changed") return someOf(payload.get("changes").list.map(dataCenterPush), event);
  const action = Object.hasOwn(ACTIONS, event) ? ACTIONS[event] : undefined;
  if (action === undefined) return [other(event)];
  return [event.startsWith("pr:") ? dataCenterPull(event, action, payload) : cloudPull(event, action, payload)];
}

const someOf = (events: readonly HookEvent[], event: string): readonly HookEvent[] =>
  events.length === 0 ? [other(event)] : events;

function cloudPush(change: Json): HookEvent {
  const isDeleted = change.get("new").isNull;
  const place = change.get(isDeleted ? "old" : "new");
  const folder = place.get("type").text === "tag" ? "refs/tags" : "refs/heads";
  return push(`${folder}/${place.get("name").text ?? ""}`, isDeleted ? DELETED : place.get("target", "hash").text);
}

const dataCenterPush = (change: Json): HookEvent =>
  push(change.get("ref", "id").text ?? change.get("refId").text, change.get("toHash").text);

function cloudPull(event: string, action: PullRequest["action"], payload: Json): HookEvent {
  const pull = payload.get("pullrequest");
  return pullRequest(event, action, {
    number: pull.get("id").number,
    head: pull.get("source", "branch", "name").text,
    commit: pull.get("source", "commit", "hash").text,
    base: pull.get("destination", "branch", "name").text,
  });
}

function dataCenterPull(event: string, action: PullRequest["action"], payload: Json): HookEvent {
  const pull = payload.get("pullRequest");
  return pullRequest(event, action, {
    number: pull.get("id").number,
    head: pull.get("fromRef", "displayId").text,
    commit: pull.get("fromRef", "latestCommit").text,
    base: pull.get("toRef", "displayId").text,
  });
}
