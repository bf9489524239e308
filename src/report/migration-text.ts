/** What a node that waits for a guest says, and what to type on the other side. */

import { type VmAction, warningLines } from "./vm-action-text.ts";
import { paintWith } from "./words/paint.ts";
import { safeLine } from "./words/safe-text.ts";

export function renderListening(
  { before, node, address, result }: VmAction,
  options: { readonly colour: boolean },
): string {
  const paint = paintWith(options.colour);
  const name = safeLine(before.name);
  const url = result.detail?.url ?? before.migration?.url ?? "an address that it does not tell";
  return [
    `${paint("bold", name)} on ${safeLine(node)}: waits for its guest at ${safeLine(url)}`,
    `To send it: odorobo vm migrate-send ${name} ${safeLine(reachableUrl(url, address))} --node THE-NODE-THAT-HAS-IT`,
    ...warningLines(result, paint),
  ].join("\n");
}

/** `tcp:0.0.0.0:49152` is every address of the node; the sender needs one. The one that we reach its agent at is the best guess. */
export function reachableUrl(url: string, agentAddress: string): string {
  const port = /^tcp:(?:0\.0\.0\.0|\[::\]):(\d+)$/.exec(url)?.[1];
  if (port === undefined) return url;
  const host = /^https?:\/\/(\[[^\]]+\]|[^:/]+)/.exec(agentAddress)?.[1];
  return `tcp:${host ?? "ITS-ADDRESS"}:${port}`;
}
