/** In which term a cluster's leader orders, as agents are told with each order: the last fence against one who leads no more. */
import { isDnsLabel } from "../model/names.ts";

export interface OrderTerm {
  readonly fleet: string;
  /** Raised by people after etcd was restored from a backup: the numbers begin lower then. */
  readonly epoch: number;
  readonly number: number;
}

export const TERM_HEADER = "odorobo-term";

export const isBefore = (a: OrderTerm, b: OrderTerm): boolean =>
  a.epoch < b.epoch || (a.epoch === b.epoch && a.number < b.number);

export const showTerm = ({ epoch, number }: Pick<OrderTerm, "epoch" | "number">): string => `term ${epoch}.${number}`;

export const formatTerm = ({ fleet, epoch, number }: OrderTerm): string => `${fleet} ${epoch} ${number}`;

/** Null: it is none. */
export function parseTerm(text: string): OrderTerm | null {
  const [fleet = "", epoch = "", number = "", ...rest] = text.split(" ");
  const isNumber = (digits: string) => /^\d{1,15}$/.test(digits);
  if (rest.length > 0 || !isDnsLabel(fleet) || !isNumber(epoch) || !isNumber(number)) return null;
  return { fleet, epoch: Number(epoch), number: Number(number) };
}
