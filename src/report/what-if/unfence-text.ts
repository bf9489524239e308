/** What a node is found with when somebody takes its fence back: what runs elsewhere by now is there twice. */
import type { NodeName, VmName } from "../../model/names.ts";
import { plural } from "../words/names.ts";
import { safeLine } from "../words/safe-text.ts";
import { someNames } from "./some-names.ts";

/** Of this fleet. Sorted by name. */
export interface Returned {
  readonly node: NodeName;
  readonly answers: boolean;
  /** On it and on another node. */
  readonly twice: readonly { readonly vm: VmName; readonly elsewhere: NodeName; readonly runsHere: boolean }[];
}

export function renderReturned({ node, answers, twice }: Returned): readonly string[] {
  const name = safeLine(node);
  if (!answers)
    return [
      `${name} does not answer. VMs that were started elsewhere stay there; those that were not are unknown again until it does.`,
    ];
  if (twice.length === 0) return [`${name} answers, and has no VM that another node has, too.`];
  const running = twice.filter(({ runsHere }) => runsHere).length;
  const [first] = twice;
  return [
    `${name} answers, and has ${plural(twice.length, "VM")} that other nodes have, too: ${someNames(twice.map(({ vm }) => vm))}${running === 0 ? "" : `; ${running} of them ${running === 1 ? "runs" : "run"} here`}.`,
    `No plan touches any of them before one of the two is gone. Where ${safeLine(first?.elsewhere ?? "")} has the right one: odorobo vm delete ${safeLine(first?.vm ?? "")} --node ${name}`,
  ];
}
