/**
 * The source's half of the way between two Cloud Hypervisors: what the process here sends goes to the other node, and the answers come back.
 *
 * Invariants:
 * - The last request, upon which the other side may let the guest run, goes out only when the process here is frozen. Its answer never comes back: so
 *   this process never believes that the guest has left, and lets it run on as soon as it is thawed.
 * - It is not broken off between an answer and the next request: up to v51 a process that cannot write the head of a request dies of it.
 */
import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import { isOdoroboError, OdoroboError } from "../../../../model/errors.ts";
import { AnswerReader, COMMAND, type Command, isCompletion, nameOf, RequestReader } from "./frames.ts";
import type { Meter } from "./meter.ts";
import { endWith, writeTo } from "./write-to.ts";

/** From an answer to the head of the next request; a guest that is paused in between takes a while. */
const NEXT_REQUEST_MS = 5_000;

export interface RelayOutOptions {
  readonly meter: Meter;
  readonly freeze: (signal: AbortSignal) => Promise<void>;
}

/** Resolves when all was sent and the process stands still. Rejects with why not, or with the signal's reason: then the process was let go of. */
export async function relayOut(
  socket: Socket,
  stream: Duplex,
  { meter, freeze }: RelayOutOptions,
  signal: AbortSignal,
): Promise<void> {
  const requests = new RequestReader();
  const answers = new AnswerReader();
  const calledOff = new AbortController();
  let asked: Command | null = null;
  let open = 0;
  let refused: Command | null = null;

  const callOff = (why: unknown): void => {
    if (calledOff.signal.aborted) return;
    calledOff.abort(why);
    stream.destroy();
    const isAboutToAsk = requests.isBetween && open === 0;
    if (isAboutToAsk) setTimeout(() => socket.destroy(), NEXT_REQUEST_MS).unref();
    else socket.destroy();
  };
  const onAbort = () => callOff(signal.reason);
  signal.addEventListener("abort", onAbort, { once: true });
  if (signal.aborted) onAbort();
  stream.on("error", () => {});
  stream.once("close", () => callOff(closedByOther()));
  stream.on("data", (chunk: Buffer) => {
    for (const { isOk, bytes } of answers.read(chunk)) {
      open--;
      if (!isOk) refused = asked;
      socket.write(bytes);
    }
  });
  socket.on("error", () => {});

  try {
    for await (const chunk of socket.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
      for (const piece of requests.read(chunk)) {
        if (piece.kind === "end") {
          open++;
          continue;
        }
        if (piece.kind === "header") {
          calledOff.signal.throwIfAborted();
          asked = piece.command;
          if (isCompletion(piece.command)) {
            await freeze(calledOff.signal);
            calledOff.signal.throwIfAborted();
            return await endWith(stream, piece.bytes);
          }
          if (piece.command === COMMAND.abandon) throw failed(refused);
        }
        meter.take(piece);
        await writeTo(stream, piece.bytes, calledOff.signal);
        await meter.pace(calledOff.signal);
      }
    }
    throw failed(refused);
  } catch (error) {
    if (refused !== null) throw failed(refused);
    calledOff.signal.throwIfAborted();
    throw isOdoroboError(error) ? error : failed(null, error);
  } finally {
    signal.removeEventListener("abort", onAbort);
    // Frozen, it sees when it goes on that nobody answers.
    socket.destroy();
    if (!stream.writableEnded) stream.destroy();
  }
}

const closedByOther = (): OdoroboError =>
  new OdoroboError("HYPERVISOR_FAILED", "the other node closed the connection in the middle", {
    hint: "what its Cloud Hypervisor said is in its log there",
  });

function failed(refused: Command | null, cause?: unknown): OdoroboError {
  return refused === null
    ? new OdoroboError("HYPERVISOR_FAILED", "Cloud Hypervisor broke off sending its guest", {
        cause,
        hint: "why stands in cloud-hypervisor.log of the VM on this node",
      })
    : new OdoroboError("HYPERVISOR_FAILED", `the other node's Cloud Hypervisor refused ${nameOf(refused)}`, {
        hint: "why stands in cloud-hypervisor.log of the VM there",
      });
}
