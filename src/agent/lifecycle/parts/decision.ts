/** What is asked, what is known, and the three ways to answer: the nouns of `decide.ts`. */
import type { Conflict, ErrorCode } from "../../../model/errors.ts";
import type { OperationKind, OperationRequest, PutVmRequest } from "../../../wire/operations.ts";
import type { CompletedOperation, StoredVm, UnreadableRecord } from "../../store/vm-record.ts";

/** Null: absent. */
export type VmState = StoredVm | UnreadableRecord | null;

export type Request = ({ readonly kind: "put" } & PutVmRequest) | OperationRequest;

export type Decision =
  | { readonly decision: "act"; readonly kind: OperationKind }
  /** It is so already. */
  | { readonly decision: "no-op"; readonly kind: OperationKind }
  /** This id was carried out before; this is how it ended. */
  | { readonly decision: "remembered"; readonly operation: CompletedOperation }
  | Refusal;

export interface Refusal {
  readonly decision: "refuse";
  readonly code: ErrorCode;
  readonly message: string;
  readonly hint: string;
  readonly conflict?: Conflict;
}

/** What to do about a guest that runs and that no record explains. */
export const UNEXPLAINED_HINT =
  "start the agent with the data folder that knows it (is it mounted? --data); or, if that is lost, end this guest on the node";

export const refuse = (code: ErrorCode, message: string, hint: string): Refusal => ({
  decision: "refuse",
  code,
  message,
  hint,
});
