/** Yes or no to a plan that waits, and what it would do beside the buttons. */
import { useId, useState } from "preact/hooks";
import type { Plan } from "../../plan/plan-document.ts";
import { post, type Refused, refusedBy } from "../data/http.ts";
import { may, me } from "../data/session.ts";
import { announce } from "../parts/announce.tsx";
import { Impacts } from "./impacts.tsx";

interface AnswerProps {
  readonly run: string;
  readonly plan: Plan;
  /** The run is to be read again. Null: the answer was taken; else why not. */
  readonly onAnswered: (refused: Refused | null) => void;
}

const LONGEST_REASON = 500;

export function Answer({ run, plan, onAnswered }: AnswerProps) {
  const [reason, setReason] = useState("");
  const [busy, setBusy] = useState<"approve" | "refuse" | null>(null);
  const id = useId();
  const isAllowed = may("apply");
  const answer = async (what: "approve" | "refuse"): Promise<void> => {
    setBusy(what);
    let refused: Refused | null = null;
    try {
      const body = what === "refuse" && reason.trim() !== "" ? { reason: reason.trim() } : {};
      await post(`/v1/runs/${encodeURIComponent(run)}/${what}`, body);
      announce(what === "approve" ? "Approved" : "Refused");
    } catch (error) {
      refused = refusedBy(error);
    }
    setBusy(null);
    onAnswered(refused);
  };
  return (
    <section class="card answer" aria-label="Your answer">
      <h2>This waits for an answer</h2>
      <div class="answer-sides">
        <Impacts changes={plan.changes} />
        <form onSubmit={(event) => event.preventDefault()}>
          <div class="buttons">
            <button
              type="button"
              class="primary"
              disabled={!isAllowed || busy !== null}
              onClick={() => void answer("approve")}
            >
              {busy === "approve" ? "Approving …" : "Approve"}
            </button>
            <button
              type="button"
              class="danger"
              disabled={!isAllowed || busy !== null}
              onClick={() => void answer("refuse")}
            >
              {busy === "refuse" ? "Refusing …" : "Refuse"}
            </button>
          </div>
          <label for={id}>Why, if you refuse</label>
          <textarea
            id={id}
            rows={2}
            maxLength={LONGEST_REASON}
            disabled={!isAllowed}
            value={reason}
            onInput={(event) => setReason(event.currentTarget.value)}
          />
          {isAllowed ? (
            <p class="hint">It is noted that {me.value?.name ?? "you"} answered.</p>
          ) : (
            <p class="hint">
              You may look ({me.value?.role ?? "no role"}), not answer: that takes the role apply. {HOW_ELSE}
            </p>
          )}
        </form>
      </div>
    </section>
  );
}

const HOW_ELSE = "Sign in with such a token, or at the gateway's machine: odorobo runs approve.";
