/**
 * What one needs of an agent, whoever carries it: HTTP (`client.ts`), or the agent's own handler in the same process (tests, bench).
 * Every method rejects with an OdoroboError: AGENT_UNREACHABLE, AGENT_TIMEOUT, AGENT_PROTOCOL, UNAUTHORIZED, or what the agent answered.
 */
import type { LookAnswer, LookQuestion } from "../model/boot/boot-needs.ts";
import type { ImageFetch } from "../model/image-fetch.ts";
import type { VmName } from "../model/names.ts";
import type { NodeReport } from "../model/observed-state.ts";
import type { ImageWish } from "./images.ts";
import type { OperationRequest, OperationResult, PutVmRequest } from "./operations.ts";

export interface AgentApi {
  report(signal: AbortSignal): Promise<NodeReport>;
  /** Resolves when the operation has ended, well or badly; `failed` is a result, not a rejection. Refusals (4xx) reject. */
  putVm(vm: VmName, request: PutVmRequest, signal: AbortSignal): Promise<OperationResult>;
  operate(vm: VmName, request: OperationRequest, signal: AbortSignal): Promise<OperationResult>;
  /**
   * Whether it has these files and bridges, in the order of the questions; null: it does not say. Left out: it cannot be asked. Rejects as the
   * others do, and with NOT_FOUND for an agent that does not know the question.
   */
  lookFor?(questions: readonly LookQuestion[], signal: AbortSignal): Promise<readonly (LookAnswer | null)[]>;
  /**
   * Resolves when its node has the image, and tells meanwhile how far that is. Left out: it fetches images only when a disk needs them. Rejects as the
   * others do, and with IMAGE_REFUSED, IMAGE_FETCH_FAILED, INSUFFICIENT_STORAGE, STORAGE_FAILED or UNSUPPORTED.
   */
  fetchImage?(wish: ImageWish, onProgress: (progress: ImageFetch) => void, signal: AbortSignal): Promise<ImageFetch>;
  close(): Promise<void>;
}
