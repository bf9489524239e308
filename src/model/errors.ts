/**
 * The one error class, and the closed set of its codes. Each code is in `docs/errors.md` (a test compares them)
 * and maps once to an HTTP status, an exit code and whether trying again may help.
 *
 * Mistakes in YAML are not errors but diagnostics (`manifest/diagnostic.ts`); mistakes of ours are plain `Error`s.
 */

interface CodeFacts {
  readonly status: number;
  readonly exit: ExitCode;
  /** The same request may succeed a moment later, and sending it twice does no harm. */
  readonly retryable: boolean;
}

/** 0 done · 1 error · 2 changes (`--detailed-exitcode`) · 3 refused by a guard, budget or policy · 4 some nodes unknown · 5 stale plan · 130 interrupted, safe. */
export type ExitCode = 0 | 1 | 2 | 3 | 4 | 5 | 130;

const facts = (status: number, exit: ExitCode, retryable = false): CodeFacts => ({ status, exit, retryable });

export const ERROR_CODES = {
  // The command line and the sources
  USAGE: facts(400, 1),
  SOURCE_UNREADABLE: facts(500, 1),
  SOURCE_REF_NOT_FOUND: facts(404, 1),
  SOURCE_EMPTY: facts(422, 3),
  SOURCE_REWOUND: facts(409, 3),
  SOURCE_UNSIGNED: facts(403, 3),
  MANIFEST_INVALID: facts(422, 1),
  FILE_UNWRITABLE: facts(500, 1),
  IMPORT_UNREADABLE: facts(422, 1),
  // Plans
  PLAN_FILE_INVALID: facts(422, 1),
  PLAN_VERSION: facts(422, 1),
  PLAN_STALE: facts(409, 5),
  PLAN_REFUSED: facts(409, 3),
  PLAN_BROKEN: facts(500, 1),
  SNAPSHOT_INVALID: facts(422, 1),
  NOT_CONFIRMED: facts(400, 3),
  NODE_ANSWERS: facts(409, 3),
  UNPLACEABLE: facts(409, 3),
  INTERRUPTED: facts(499, 130),
  // Runs
  RUN_OVER: facts(409, 1),
  RUN_UNREADABLE: facts(422, 1),
  RUN_WAITING: facts(409, 3),
  RUN_NOT_WAITING: facts(409, 1),
  // Gateways that share an etcd
  NOT_LEADER: facts(503, 1),
  ETCD_UNREACHABLE: facts(503, 1, true),
  ETCD_REFUSED: facts(502, 1),
  // Talking to an agent
  AGENT_UNREACHABLE: facts(502, 1, true),
  AGENT_TIMEOUT: facts(504, 1, true),
  AGENT_PROTOCOL: facts(502, 1),
  AGENT_WRONG_NODE: facts(502, 1),
  UNAUTHORIZED: facts(401, 1),
  // Talking to a forge
  FORGE_UNREACHABLE: facts(502, 1, true),
  FORGE_REFUSED: facts(502, 1),
  // What an agent answers
  BAD_REQUEST: facts(400, 1),
  FORBIDDEN: facts(403, 1),
  NOT_FOUND: facts(404, 1),
  METHOD_NOT_ALLOWED: facts(405, 1),
  PAYLOAD_TOO_LARGE: facts(413, 1),
  STALE_GENERATION: facts(409, 5),
  STALE_SERIAL: facts(409, 5),
  STALE_TERM: facts(409, 1),
  FLEET_MISMATCH: facts(409, 3),
  PROTECTED: facts(409, 3),
  WRONG_PHASE: facts(409, 1),
  UNSUPPORTED: facts(422, 1),
  IMAGE_MISSING: facts(422, 1),
  IMAGE_CHANGED: facts(409, 1),
  IMAGE_REFUSED: facts(422, 1),
  IMAGE_FETCH_FAILED: facts(502, 1),
  DISK_IN_USE: facts(409, 1),
  INSUFFICIENT_STORAGE: facts(507, 1),
  STORAGE_FAILED: facts(507, 1),
  HYPERVISOR_UNAVAILABLE: facts(503, 1),
  HYPERVISOR_FAILED: facts(500, 1),
  HYPERVISOR_BUSY: facts(429, 1, true),
  SUPERVISOR_UNAVAILABLE: facts(503, 1, true),
  HOOK_FAILED: facts(409, 1),
  PATH_NOT_ALLOWED: facts(403, 1),
  RATE_LIMITED: facts(429, 1, true),
  GUEST_UNEXPLAINED: facts(409, 1),
  GUEST_NOT_READY: facts(504, 1),
  OPERATION_INTERRUPTED: facts(500, 1),
  MIGRATION_FAILED: facts(500, 1),
  MIGRATION_UNSETTLED: facts(504, 1),
  ARRIVAL_REFUSED: facts(409, 1),
  AGENT_STOPPING: facts(503, 1, true),
  INTERNAL: facts(500, 1),
  // Starting an agent
  AGENT_CONFIG: facts(400, 1),
  AGENT_INSECURE: facts(400, 1),
  ADDRESS_IN_USE: facts(409, 1),
  DATA_FOLDER_IN_USE: facts(409, 1),
  DATA_FOLDER_MISMATCH: facts(409, 1),
  // Starting a gateway
  GATEWAY_FILE_INVALID: facts(422, 1),
} as const satisfies Record<string, CodeFacts>;

export type ErrorCode = keyof typeof ERROR_CODES;

export const isErrorCode = (text: unknown): text is ErrorCode =>
  typeof text === "string" && Object.hasOwn(ERROR_CODES, text);

export class OdoroboError extends Error {
  override readonly name = "OdoroboError";
  readonly code: ErrorCode;
  /** What to do next, as a sentence for the user. */
  readonly hint: string | undefined;
  /** Whose act this one came in the way of, where that is known. */
  readonly conflict: Conflict | undefined;

  /** `message` says what and which; the cause's text is not repeated in it, it is printed as "Caused by:". */
  constructor(
    code: ErrorCode,
    message: string,
    options: { cause?: unknown; hint?: string | undefined; conflict?: Conflict | undefined } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.hint = options.hint;
    this.conflict = options.conflict;
  }

  get status(): number {
    return ERROR_CODES[this.code].status;
  }
  get exitCode(): ExitCode {
    return ERROR_CODES[this.code].exit;
  }
  get retryable(): boolean {
    return ERROR_CODES[this.code].retryable;
  }
}

export const isOdoroboError = (error: unknown, code?: ErrorCode): error is OdoroboError =>
  error instanceof OdoroboError && (code === undefined || error.code === code);
/** A system error of Node with this code: `isErrno(error, "ENOENT")`. */
export const isErrno = (error: unknown, code: string): boolean =>
  error instanceof Error && (error as { readonly code?: unknown }).code === code;
export const isAbort = (error: unknown): boolean => error instanceof Error && error.name === "AbortError";

/** The step of another run that has this VM, or had it last. */
export interface Conflict {
  readonly run: string;
  readonly step: string;
  /** When the step began; of one that has ended: when it did. An instant. */
  readonly since: string;
}

/** How an error crosses the wire and how `--json` prints it. */
export interface ErrorBody {
  readonly code: ErrorCode;
  readonly message: string;
  readonly hint?: string;
  readonly conflict?: Conflict;
}

export const toErrorBody = ({ code, message, hint, conflict }: OdoroboError): ErrorBody => ({
  code,
  message,
  ...(hint === undefined ? {} : { hint }),
  ...(conflict === undefined ? {} : { conflict }),
});

export const fromErrorBody = ({ code, message, hint, conflict }: ErrorBody, cause?: unknown): OdoroboError =>
  new OdoroboError(code, message, { hint, cause, conflict });
