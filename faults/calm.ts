/** What is waited for before it is judged: that agents have done what they meant to do by themselves. */
import { setTimeout as sleep } from "node:timers/promises";
import type { NodeReport } from "../src/model/observed-state.ts";

const LOOK_MS = 50;

export interface Calm {
  /** What is not yet so, as sentences. */
  readonly wrong: () => Promise<readonly string[]> | readonly string[];
  /** When agents will start again what ended by itself: a back-off may be minutes. In ms of the wall clock. */
  readonly restartsAt: () => Promise<readonly number[]>;
}

/** What is still wrong `settleMs` after the last of the starts that were put off. */
export async function untilCalm({ wrong, restartsAt }: Calm, settleMs: number): Promise<readonly string[]> {
  let giveUpAt = Date.now() + settleMs;
  for (;;) {
    const now = await wrong();
    if (now.length === 0) return [];
    giveUpAt = Math.max(giveUpAt, ...(await restartsAt()).map((at) => at + settleMs));
    if (Date.now() > giveUpAt) return now;
    await sleep(LOOK_MS);
  }
}

export const restartsIn = (reports: readonly NodeReport[]): number[] =>
  reports.flatMap(({ vms }) => vms.flatMap(({ restart }) => restart?.nextAt ?? [])).map((at) => Date.parse(at));

/** What their agents have begun, or will begin by themselves. */
export const busyIn = (reports: readonly NodeReport[]): string[] =>
  reports.flatMap(({ node, vms, unfinished }) => [
    ...unfinished.map(({ vm, kind }) => `${kind} of ${vm} on ${node.name} is under way`),
    ...vms.flatMap(({ name, phase, restart }) => {
      if (restart && restart.nextAt !== null) return [`${name} on ${node.name} is to be started again`];
      return phase === "starting" || phase === "stopping" ? [`${name} on ${node.name} is ${phase}`] : [];
    }),
  ]);
