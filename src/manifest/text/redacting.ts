/** Messages about a passthrough quote it, and it may hold anything: what is none of our words is taken out of them. */
import { isRecord } from "../../model/cloud-hypervisor/merge-fragment.ts";
import { isOwnWord, isWordOfOurs } from "./harmless.ts";
import type { Segments } from "./places.ts";
import type { ReportField } from "./source-document.ts";

type Tell = (at: Segments, problem: { readonly message: string; readonly hint: string }) => void;

export function redacting(section: unknown, report: ReportField): Tell {
  let strangers: readonly string[] | undefined;
  return (at, { message, hint }) => {
    strangers ??= strangersIn(section);
    const shown = (text: string): string => withoutWords(text, strangers ?? []);
    report(at, { code: "bad-value", message: shown(message), hint: shown(hint) });
  };
}

/** Texts and keys of the section that are none of our words: as long as a password, they are not repeated. */
function strangersIn(value: unknown): string[] {
  const words = typeof value === "string" ? [value] : isRecord(value) ? Object.keys(value) : [];
  const below = Array.isArray(value) || isRecord(value) ? Object.values(value).flatMap(strangersIn) : [];
  return [...words.filter((word) => word.length >= 4 && !isWordOfOurs(word)), ...below];
}

function withoutWords(text: string, words: readonly string[]): string {
  let shown = text;
  for (const word of words)
    if (text.includes(word.slice(0, 4)) && !isOwnWord(word))
      for (const form of [word, JSON.stringify(word).slice(1, -1)]) shown = shown.replaceAll(form, "…");
  return shown;
}
