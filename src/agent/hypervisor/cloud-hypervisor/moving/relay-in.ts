/**
 * The destination's half of the way between two Cloud Hypervisors: what comes from the other node goes to the process here, and its answers go back.
 *
 * Invariant: the last request, upon which the process lets the guest run, is held back until `complete`. A way that ends before it was held ends the
 * guest's coming; one that ends afterwards changes nothing.
 */
import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import { OdoroboError } from "../../../../model/errors.ts";
import { AnswerReader, COMMAND, isCompletion, type Piece, RequestReader, withLength } from "./frames.ts";
import { writeTo } from "./write-to.ts";

export interface RelayIn {
  /** Resolves when the last request is held: all of the guest is in the process. Rejects when it never will be. */
  readonly held: Promise<void>;
  /**
   * Passes it on. Resolves with whether the process did as it was told: `done`, `refused` (the guest did not run, or nobody was there to be told),
   * `unknown` (nothing came back).
   */
  complete(): Promise<Answered>;
  close(): void;
}

type Answered = "done" | "refused" | "unknown";

/** What the kernel says of a peer that was gone, or went with what was written to it unread. */
const UNREAD: ReadonlySet<string | undefined> = new Set(["EPIPE", "ECONNRESET"]);

/** `rewrite`: the guest's configuration as this host needs it; both are JSON. */
export function relayIn(stream: Duplex, socket: Socket, rewrite: (config: Buffer) => Buffer): RelayIn {
  const requests = new RequestReader();
  const answers = new AnswerReader();
  const whole = Promise.withResolvers<void>();
  whole.promise.catch(() => {});
  const broken = new AbortController();
  let completion: Buffer | null = null;
  let unanswered = 0;
  let answered: ((how: Answered) => void) | null = null;
  let hasRead = true;

  const breakOff = (why: OdoroboError): void => {
    answered?.(hasRead ? "unknown" : "refused");
    if (completion !== null) return;
    whole.reject(why);
    broken.abort(why);
    stream.destroy();
    socket.destroy();
  };
  for (const [end, who] of [
    [stream, "the source"],
    [socket, "the process here"],
  ] as const) {
    end.on("error", () => {});
    end.once(
      "close",
      () => (end === socket || completion === null) && breakOff(neverComes(`${who} closed the connection`)),
    );
  }
  socket.on("error", ({ code }: NodeJS.ErrnoException) => {
    if (UNREAD.has(code)) hasRead = false;
  });
  socket.on("data", (chunk: Buffer) => {
    for (const { isOk, bytes } of answers.read(chunk)) {
      unanswered--;
      if (answered !== null) answered(isOk ? "done" : "refused");
      else if (!stream.destroyed) stream.write(bytes);
    }
  });

  /** Of the configuration, which goes on as a whole. */
  let kept: { readonly header: Buffer; readonly parts: Buffer[] } | null = null;
  const pass = async (piece: Piece): Promise<void> => {
    if (piece.kind === "end") {
      if (kept === null) return;
      const config = rewrite(Buffer.concat(kept.parts));
      const header = withLength(kept.header, config.length);
      kept = null;
      await writeTo(socket, Buffer.concat([header, config]), broken.signal);
    } else if (piece.command === COMMAND.config) {
      if (piece.kind === "header") kept = { header: piece.bytes, parts: [] };
      else kept?.parts.push(piece.bytes);
    } else await writeTo(socket, piece.bytes, broken.signal);
  };
  const follow = async (): Promise<void> => {
    for await (const chunk of stream.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
      for (const piece of requests.read(chunk)) {
        if (piece.kind === "header") {
          if (isCompletion(piece.command)) {
            if (unanswered > 0) throw neverComes("its source hurries it");
            completion = piece.bytes;
            whole.resolve();
            return;
          }
          unanswered++;
        }
        await pass(piece);
      }
    }
    throw neverComes("its source sent no more of it");
  };
  void follow().catch((error: unknown) =>
    breakOff(error instanceof OdoroboError ? error : neverComes("what came is no guest", error)),
  );

  return {
    held: whole.promise,
    async complete() {
      if (completion === null || socket.destroyed) return "refused";
      const answer = new Promise<Answered>((resolve) => {
        answered = resolve;
      });
      socket.write(completion);
      return answer;
    },
    close() {
      stream.destroy();
      socket.destroy();
    },
  };
}

const neverComes = (why: string, cause?: unknown): OdoroboError =>
  new OdoroboError("HYPERVISOR_FAILED", `the guest will not come: ${why}`, {
    cause,
    hint: "it is where it was: try again",
  });
