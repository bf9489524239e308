/** Many names on one line, none left out. */
import { byName } from "../../model/names.ts";
import { safeLine } from "./safe-text.ts";

/** `web-1…web-20, db`: runs of three and more numbered names become a range. Sorted; ranges stand where their first name would. */
export function showNames(names: readonly string[]): string {
  const shown: { readonly key: string; readonly text: string }[] = [];
  const numbered = new Map<string, number[]>();
  for (const name of names) {
    const match = /^(.*?)(0|[1-9]\d{0,8})$/.exec(name);
    const stem = match?.[1];
    if (stem === undefined) shown.push({ key: name, text: name });
    else if (numbered.has(stem)) numbered.get(stem)?.push(Number(match?.[2]));
    else numbered.set(stem, [Number(match?.[2])]);
  }
  for (const [stem, numbers] of numbered) {
    for (const run of toRuns(numbers)) {
      const [first, last] = [`${stem}${run[0]}`, `${stem}${run.at(-1)}`];
      if (run.length >= 3) shown.push({ key: first, text: `${first}…${last}` });
      else for (const number of run) shown.push({ key: `${stem}${number}`, text: `${stem}${number}` });
    }
  }
  return shown
    .sort((a, b) => byName(a.key, b.key))
    .map((each) => safeLine(each.text))
    .join(", ");
}

function toRuns(numbers: readonly number[]): number[][] {
  const runs: number[][] = [];
  for (const number of [...numbers].sort((a, b) => a - b)) {
    const run = runs.at(-1);
    if (run?.at(-1) === number - 1) run.push(number);
    else runs.push([number]);
  }
  return runs;
}

/** `n1 (7), n2 (6) and 48 more`: how many there are of each, by name. */
export function showCounts(names: readonly string[], most: number): string {
  const counts = new Map<string, number>();
  for (const name of names) counts.set(name, (counts.get(name) ?? 0) + 1);
  const sorted = [...counts].sort(([a], [b]) => byName(a, b));
  const shown = sorted.slice(0, most).map(([name, count]) => `${safeLine(name)} (${count})`);
  return sorted.length > most ? `${shown.join(", ")} and ${sorted.length - most} more` : shown.join(", ");
}

export const plural = (count: number, one: string, many = `${one}s`): string => `${count} ${count === 1 ? one : many}`;
