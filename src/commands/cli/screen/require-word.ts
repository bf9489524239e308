/** A person's word that a node is off: `--confirm`, or its name, typed. `--yes` is no such word. */
import { confirm } from "./confirm.ts";

/** Rejects with NOT_CONFIRMED. */
export const requireWord = (node: string, signal: AbortSignal): Promise<void> =>
  confirm(
    {
      text: `Its VMs may be started elsewhere then, and run twice if ${node} is not off. Type its name if you have made sure:`,
      answer: node,
      what: `fence ${node}`,
      hint: "make sure that the node is off and stays off, and give --confirm",
    },
    { yes: false, signal },
  );
