/**
 * A notification as Slack takes it at an incoming webhook, and Mattermost and Rocket.Chat as well.
 *
 * Names and messages come from manifests, agents and git: they must not call a channel's people, hide behind another link, or look like
 * lines of ours. Slack parses `<!channel>`, `<@U1>` and `<https://x|y>`, so `&`, `<` and `>` are escaped as its documentation says; the
 * others parse a bare `@all`, so nothing stands directly after an `@`.
 */
import { safeLine } from "../../report/words/safe-text.ts";
import type { Notification, Topic } from "./notice.ts";

/** Of one sentence: diagnostics may have hundreds of lines. */
const MAX_LENGTH = 300;
const SIGNS: Readonly<Record<Topic, string>> = {
  failed: ":x:",
  waiting: ":raised_hand:",
  drift: ":warning:",
  silent: ":zzz:",
  healed: ":white_check_mark:",
};
const ZERO_WIDTH_SPACE = "\u200b";

export function toSlack({ fleet, notices, more, link }: Notification): string {
  const lines = notices.flatMap(({ topic, message, hint }) => [
    `${SIGNS[topic]} ${quote(message)}`,
    ...(hint === null ? [] : [`      ${quote(hint)}`]),
  ]);
  const rest = sayMore(more);
  const text = [
    `*odorobo ${quote(fleet)}*`,
    ...lines,
    ...(rest === null ? [] : [rest]),
    ...(link === null ? [] : [link]),
  ];
  // Left to itself Slack shows what is behind links, and makes mentions of names.
  return JSON.stringify({ text: text.join("\n"), unfurl_links: false, unfurl_media: false, link_names: false });
}

/** Null: there is no more. */
export function sayMore(more: Notification["more"]): string | null {
  const counts = Object.entries(more).filter(([, count]) => count > 0);
  const total = counts.reduce((sum, [, count]) => sum + count, 0);
  if (total === 0) return null;
  return `and ${total} more: ${counts.map(([topic, count]) => `${count} ${topic}`).join(", ")}`;
}

/** On one line, and nothing but text. */
export function quote(text: string): string {
  const line = safeLine(text);
  const short = line.length <= MAX_LENGTH ? line : `${line.slice(0, MAX_LENGTH - 1)}…`;
  return short
    .replaceAll("&", "&amp;")
    .replaceAll("<", "&lt;")
    .replaceAll(">", "&gt;")
    .replaceAll("@", `@${ZERO_WIDTH_SPACE}`)
    .replace(/[*_~`]/g, (sign) => `${ZERO_WIDTH_SPACE}${sign}${ZERO_WIDTH_SPACE}`);
}
