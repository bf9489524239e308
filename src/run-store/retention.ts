/** How long runs are kept: the latest hundred, and none that has not moved for a month. Pure. */

/** A page of them is what anybody reads; the plan of a large fleet has some 30 MiB. */
const KEPT_AT_MOST = 100;
/** What has stood still for so long is better planned anew than carried on. */
const KEPT_MS = 30 * 86_400_000;

export interface Age {
  /** Among all, the latest being 0. */
  readonly place: number;
  /** Since anything was written down of it. */
  readonly stillForMs: number;
}

/** Worth a closer look: whether it is over, and whether somebody is at it. */
export const mayGo = ({ place, stillForMs }: Age): boolean => place >= KEPT_AT_MOST || stillForMs > KEPT_MS;

/** `isOver`: not to be carried on, because it has ended or cannot be understood. */
export const mustGo = (age: Age, { isOver, isExecuted }: { isOver: boolean; isExecuted: boolean }): boolean =>
  !isExecuted && mayGo(age) && (isOver || age.stillForMs > KEPT_MS);
