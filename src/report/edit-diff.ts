/** What a change does to a file, as `diff -u` shows it: one hunk from the first line that differs to the last, with what stands around. */
import { paintWith } from "./words/paint.ts";
import { safeLine } from "./words/safe-text.ts";

const AROUND = 3;

export function renderEdit(file: string, before: string, after: string, options: { readonly colour: boolean }): string {
  const paint = paintWith(options.colour);
  const [old, now] = [linesOf(before), linesOf(after)];
  let head = 0;
  while (head < Math.min(old.length, now.length) && old[head] === now[head]) head++;
  let tail = 0;
  while (tail < Math.min(old.length, now.length) - head && old.at(-1 - tail) === now.at(-1 - tail)) tail++;
  const from = Math.max(0, head - AROUND);
  const until = Math.min(tail, AROUND);
  const [oldEnd, nowEnd] = [old.length - tail, now.length - tail];
  const range = (end: number) => `${from + 1},${end + until - from}`;
  return [
    paint("bold", `--- ${safeLine(file)}`),
    paint("bold", `+++ ${safeLine(file)}`),
    paint("cyan", `@@ -${range(oldEnd)} +${range(nowEnd)} @@`),
    ...old.slice(from, head).map((line) => ` ${safeLine(line)}`),
    ...old.slice(head, oldEnd).map((line) => paint("red", `-${safeLine(line)}`)),
    ...now.slice(head, nowEnd).map((line) => paint("green", `+${safeLine(line)}`)),
    ...old.slice(oldEnd, oldEnd + until).map((line) => ` ${safeLine(line)}`),
  ].join("\n");
}

const linesOf = (text: string): string[] => text.replace(/\n$/, "").split("\n");
