/** What was searched for and how it was sorted, for each fleet: whoever comes back from a VM finds the list as it was. */
import { type Signal, signal } from "@preact/signals";
import type { Choice } from "./filter-vms.ts";

const choices = new Map<string, Signal<Choice>>();

export function listOf(fleet: string): Signal<Choice> {
  const known = choices.get(fleet);
  if (known !== undefined) return known;
  const made = signal<Choice>({ query: "", kind: "all", sort: { key: "name", isDescending: false } });
  choices.set(fleet, made);
  return made;
}
