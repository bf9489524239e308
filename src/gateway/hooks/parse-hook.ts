/** What the payloads of each forge say, by their documentation. What is not understood is `other`, never an error: forges add events. */
import type { ForgeKind, HookEvent, HookHeaders } from "./hook-event.ts";
import type { Json } from "./hook-payload.ts";
import { one } from "./hook-signature.ts";
import { commitOf, other, refOf, word } from "./hook-words.ts";
import { parseBitbucket } from "./parse-bitbucket.ts";
import { parseGitHub } from "./parse-github.ts";
import { parseGitLab } from "./parse-gitlab.ts";

export function parseHook(kind: ForgeKind, headers: HookHeaders, payload: Json): readonly HookEvent[] {
  switch (kind) {
    case "github":
      return parseGitHub(word(one(headers, "x-github-event")), payload);
    case "gitea":
      return parseGitHub(word(one(headers, "x-gitea-event")), payload);
    case "forgejo":
      return parseGitHub(word(one(headers, "x-forgejo-event") ?? one(headers, "x-gitea-event")), payload);
    case "gitlab":
      return [parseGitLab(payload)];
    case "bitbucket":
      return parseBitbucket(word(one(headers, "x-event-key")), payload);
    case "generic":
      return [parseGeneric(payload)];
  }
}

/** `{"ref": "refs/heads/main", "commit": "…"}`; without a ref it is a ping. */
function parseGeneric(payload: Json): HookEvent {
  const ref = payload.get("ref");
  if (ref.text === undefined) return { kind: "ping" };
  // Who only knows that something came need not know what.
  const name = refOf(ref.text);
  if (name === undefined) return other("push");
  return { kind: "push", ref: name, commit: commitOf(payload.get("commit").text) ?? null };
}
