/** A silent node → what the plan says of it: why it could not be seen, and what to do about it. A first plan without an agent ends here. */

import type { Unknown } from "../model/changes.ts";
import type { ErrorCode } from "../model/errors.ts";
import type { NodeName } from "../model/names.ts";
import type { SilentNode } from "./locate-vms.ts";

export function unknownNode({ name, error, code }: SilentNode): Unknown {
  const hint = hintFor(name, code, error);
  return { kind: "Node", name, node: name, because: error, ...(hint === null ? {} : { hint }) };
}

/** Null: the reason says all that is known. */
function hintFor(name: NodeName, code: ErrorCode | undefined, error: string): string | null {
  switch (code) {
    case "AGENT_UNREACHABLE":
      return `is its agent running, and the Node's address right? On that server: odorobo agent --name ${name}`;
    case "UNAUTHORIZED":
      return "give the token or the certificate that its agent asks for: --token-file FILE, or --tls-cert and --tls-key";
    case "AGENT_WRONG_NODE":
      return "correct the Node's name or address in the manifests, or start the agent with --name";
    case "AGENT_TIMEOUT":
      return `where it is only slow, give it longer: --timeout ${longerThan(error)}s`;
    default:
      return null;
  }
}

/** Six times what it had: `no answer within 5 s` → 30. Whoever gave it more already is not told to give it less. */
function longerThan(error: string): number {
  const had = Number(/within (\d+(?:\.\d+)?) s/.exec(error)?.[1] ?? 5);
  return Math.max(30, Math.ceil(had * 6));
}
