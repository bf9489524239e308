/** Asks an agent about files and bridges of its node. */
import type { LookAnswer, LookQuestion } from "../model/boot/boot-needs.ts";
import { findAnswerError } from "./check-shape.ts";
import { withDeadline } from "./deadline.ts";
import { routes } from "./routes.ts";
import type { Transport } from "./transport.ts";

/** Paths have at most 4 KiB each: as many as are sure to fit into a request. */
export const MAX_QUESTIONS = 200;

/** `null`: it does not say. */
export interface LookResult {
  readonly answers: readonly (LookAnswer | null)[];
}

export async function look(
  transport: Transport,
  questions: readonly LookQuestion[],
  answerMs: number,
  signal: AbortSignal,
): Promise<readonly (LookAnswer | null)[]> {
  const answers: (LookAnswer | null)[] = [];
  for (let from = 0; from < questions.length; from += MAX_QUESTIONS) {
    const asked = questions.slice(from, from + MAX_QUESTIONS);
    const value = await withDeadline(answerMs, signal, transport.address.text, (within) =>
      transport.askJson(
        {
          method: "POST",
          path: routes.look(),
          body: { questions: asked },
          headersMs: answerMs,
          silenceMs: answerMs,
          signal: within,
        },
        "what it has",
      ),
    );
    const problem = findAnswerError("look-answer", value);
    const answered = problem === null ? (value as LookResult).answers : [];
    if (problem !== null || answered.length !== asked.length)
      throw transport.protocolError(
        `answered with something else than what it has: ${problem ?? "not as much as was asked"}`,
      );
    answers.push(...answered);
  }
  return answers;
}
