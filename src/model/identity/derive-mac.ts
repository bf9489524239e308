/** MAC addresses that are the same at every reading, on every machine, without anybody keeping a list. */
import { digestOfText } from "../digest.ts";

/** `attempt` counts up while the address is taken by a NIC that comes first. */
export function deriveMac(fleet: string, vm: string, nic: string, attempt: number): string {
  const hex = digestOfText(`mac/${fleet}/${vm}/${nic}/${attempt}`);
  // 02: locally administered, unicast (IEEE 802): no vendor owns it.
  return `02:${hex.slice(0, 2)}:${hex.slice(2, 4)}:${hex.slice(4, 6)}:${hex.slice(6, 8)}:${hex.slice(8, 10)}`;
}
