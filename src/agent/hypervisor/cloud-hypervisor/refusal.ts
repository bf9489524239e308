/**
 * What Cloud Hypervisor says when it refuses → our codes. Pure.
 *
 * Its statuses tell little: up to v53 nearly everything is 500, wrong state included, and the 405 of its description is never
 * sent. So the words decide, and a status counts only where the version gives it one meaning.
 */
import { type ErrorCode, OdoroboError } from "../../../model/errors.ts";
import { statusesAreExact } from "./version.ts";

export interface Refusal {
  readonly endpoint: string;
  readonly status: number;
  /** The body as it came. */
  readonly body: string;
  /** Null: not known yet. */
  readonly version: string | null;
}

export function toError(refusal: Refusal): OdoroboError {
  const chain = readChain(refusal.body);
  const { code, hint } = classify(refusal, chain);
  // The first two say no more than the endpoint does: "Error from API", "The VM could not boot".
  const told = chain[0] === "Error from API" && chain.length > 2 ? chain.slice(2) : chain;
  const why = told.length === 0 ? `status ${refusal.status}, without a word` : told.join(": ");
  return new OdoroboError(code, `Cloud Hypervisor refused ${refusal.endpoint}: ${why}`, {
    hint,
    cause: toCause(chain),
  });
}

/** What a person may be shown of one message; an error of a back end may quote a whole file. */
const MAX_MESSAGE_LENGTH = 1000;

/** Two shapes: an array of strings, from the top error to the root cause, or `{"error": …}` of the HTTP server itself. */
export function readChain(body: string): readonly string[] {
  const messages = messagesIn(body.trim());
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what must not reach a terminal.
  const clean = messages.map((each) => each.replace(/[\u0000-\u001f\u007f-\u009f]+/g, " ").trim());
  return clean.filter((each) => each !== "").map((each) => each.slice(0, MAX_MESSAGE_LENGTH));
}

function messagesIn(body: string): readonly string[] {
  if (body === "") return [];
  try {
    const value: unknown = JSON.parse(body);
    if (Array.isArray(value)) return value.map(String);
    if (typeof value === "object" && value !== null && "error" in value) return [String(value.error)];
    return [typeof value === "string" ? value : body];
  } catch {
    // The HTTP server puts line breaks into its JSON texts, which JSON does not allow.
    const error = /^\{\s*"error":\s*"([\s\S]*)"\s*\}$/.exec(body)?.[1];
    return [error ?? body];
  }
}

/** The root cause innermost, as `Caused by:` prints it. */
function toCause(chain: readonly string[]): Error | undefined {
  let cause: Error | undefined;
  for (const message of [...chain].reverse()) cause = new Error(message, cause === undefined ? undefined : { cause });
  return cause;
}

interface Verdict {
  readonly code: ErrorCode;
  readonly hint: string | undefined;
}

interface Rule extends Verdict {
  readonly says: RegExp;
}

/** The only thing that it calls too many requests. */
const CPUS_PENDING: Verdict = {
  code: "HYPERVISOR_BUSY",
  hint: "the guest has not let go of the CPUs that were taken away before; try again, or reboot it",
};

/** The first that fits. */
const RULES: readonly Rule[] = [
  { says: /pending removed vCPU/i, ...CPUS_PENDING },
  {
    says: /on-demand memory restore is still in progress/i,
    code: "HYPERVISOR_BUSY",
    hint: "its memory is still being read from the snapshot; try again in a moment",
  },
  {
    // The device manager's: the configuration has forgotten the device, the guest has not let go of it.
    says: /Invalid identifier as it is not unique/i,
    code: "HYPERVISOR_BUSY",
    hint: "the guest has not let go of a removed device of this name yet; try again, or reboot it",
  },
  {
    says: /Too many open connections/i,
    code: "HYPERVISOR_BUSY",
    hint: "its API serves ten connections at a time: who else is connected to this VM's ch.sock?",
  },
  {
    says: /currently migrating/i,
    code: "WRONG_PHASE",
    hint: "wait until the migration has ended: it cannot be cut short from here",
  },
  {
    says: /VM is not created|VM config is missing|VM is already created|VM is not (running|booted)|invalid (vm )?(state )?transition/i,
    code: "WRONG_PHASE",
    hint: "look at what it does now: odorobo vm info",
  },
  {
    says: /Not allowed to remove this type of device|device from behind vIOMMU|hotplug device behind vIOMMU/i,
    code: "UNSUPPORTED",
    hint: "a reboot of the VM makes the change",
  },
  {
    says: /No device with id|find device corresponding to the given identifier|Unknown memory zone|find specified memory zone/i,
    code: "NOT_FOUND",
    hint: undefined,
  },
  {
    says: /Identifier .* is not unique|Failed to validate config|Failed to deserialize JSON|larger than the limit/i,
    code: "BAD_REQUEST",
    hint: "correct the VM's manifest, or its cloudHypervisor section",
  },
  {
    says: /Another instance likely holds a lock|Error locking disk/i,
    code: "HYPERVISOR_FAILED",
    hint: "another VM or program has this disk open for writing",
  },
];

function classify({ endpoint, status, version }: Refusal, chain: readonly string[]): Verdict {
  // Not a VM that is not there: an endpoint.
  if (status === 404 && chain.length === 1 && chain[0] === "Not Found") {
    const guestDebug = endpoint === "vm.coredump";
    return {
      code: "UNSUPPORTED",
      hint: guestDebug
        ? "this Cloud Hypervisor was built without guest_debug"
        : "this version of Cloud Hypervisor has no such call",
    };
  }
  if (status === 429) return CPUS_PENDING;
  const rule = RULES.find(({ says }) => chain.some((message) => says.test(message)));
  if (rule) return rule;
  if (status === 503) return { code: "HYPERVISOR_BUSY", hint: "try again in a moment" };
  if (status === 400) return { code: "BAD_REQUEST", hint: undefined };
  if (version !== null && statusesAreExact(version)) {
    if (status === 404) return { code: "NOT_FOUND", hint: undefined };
    if (status === 409) return { code: "BAD_REQUEST", hint: "another device of this VM has this name already" };
  }
  return { code: "HYPERVISOR_FAILED", hint: undefined };
}
