/** https://docs.gitlab.com/user/project/integrations/webhook_events/ */
import type { HookEvent } from "./hook-event.ts";
import type { Json } from "./hook-payload.ts";
import { other, type PullRequest, pullRequest, push, word } from "./hook-words.ts";

const GITLAB_ACTIONS: Readonly<Record<string, PullRequest["action"]>> = {
  open: "opened",
  reopen: "opened",
  update: "updated",
  close: "closed",
  merge: "closed",
};

/** A project's hook and a system hook say the same in their body; only headers differ. */
export function parseGitLab(payload: Json): HookEvent {
  const kind = word(payload.get("object_kind").text ?? payload.get("event_name").text);
  if (kind === "push" || kind === "tag_push") return push(payload.get("ref").text, payload.get("after").text);
  if (kind !== "merge_request") return other(kind);
  const said = payload.get("object_attributes");
  const action = said.get("action").text ?? "";
  const known = Object.hasOwn(GITLAB_ACTIONS, action) ? GITLAB_ACTIONS[action] : undefined;
  return pullRequest(word(`${kind} ${action}`), known, {
    number: said.get("iid").number,
    head: said.get("source_branch").text,
    commit: said.get("last_commit", "id").text,
    base: said.get("target_branch").text,
  });
}
