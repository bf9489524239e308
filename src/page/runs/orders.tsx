/** Pause, resume, abort: what can be said to a run that has begun. */
import { useState } from "preact/hooks";
import { post, type Refused, refusedBy } from "../data/http.ts";
import { may } from "../data/session.ts";
import { announce } from "../parts/announce.tsx";
import { Dialog } from "../parts/dialog.tsx";
import { Trouble } from "../parts/message.tsx";

type Order = "pause" | "resume" | "abort";

const BY_STATUS: Readonly<Record<string, readonly Order[]>> = {
  approved: ["abort"],
  running: ["pause", "abort"],
  pausing: ["abort"],
  paused: ["resume", "abort"],
  stranded: ["resume", "abort"],
};

const WORDS: Readonly<Record<Order, readonly [string, string]>> = {
  pause: ["Pause", "Pausing: what is under way ends, nothing new begins"],
  resume: ["Resume", "It goes on"],
  abort: ["Abort", "Aborting: what is under way ends, nothing new begins"],
};

interface OrdersProps {
  readonly run: string;
  readonly status: string;
  readonly onOrdered: () => void;
}

export function Orders({ run, status, onOrdered }: OrdersProps) {
  const [busy, setBusy] = useState<Order | null>(null);
  const [refused, setRefused] = useState<Refused | null>(null);
  const [isAsking, setAsking] = useState(false);
  const orders = BY_STATUS[status] ?? [];
  if (orders.length === 0 || !may("apply")) return refused === null ? null : <Trouble refused={refused} />;
  const order = async (what: Order): Promise<void> => {
    setBusy(what);
    setRefused(null);
    try {
      await post(`/v1/runs/${encodeURIComponent(run)}/${what}`);
      announce(WORDS[what][1]);
    } catch (error) {
      setRefused(refusedBy(error));
    }
    setBusy(null);
    onOrdered();
  };
  return (
    <>
      <div class="buttons">
        {orders.map((each) => (
          <button
            key={each}
            type="button"
            class={each === "abort" ? "danger" : ""}
            disabled={busy !== null}
            onClick={() => (each === "abort" ? setAsking(true) : void order(each))}
          >
            {WORDS[each][0]}
          </button>
        ))}
      </div>
      {refused === null ? null : <Trouble refused={refused} />}
      {isAsking ? (
        <Dialog title="Abort this run?" onClose={() => setAsking(false)}>
          <p>What is under way ends, and what was done stays done. What has not begun never begins.</p>
          <div class="buttons">
            <button
              type="button"
              class="danger"
              onClick={() => {
                setAsking(false);
                void order("abort");
              }}
            >
              Abort the run
            </button>
            <button type="button" onClick={() => setAsking(false)}>
              Let it go on
            </button>
          </div>
        </Dialog>
      ) : null}
    </>
  );
}
