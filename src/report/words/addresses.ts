/** Where guests can be found, in words. */
import type { GuestAddress } from "../../model/observed-state.ts";

/** `10.0.0.11 (declared, neighbour), 127.0.0.1:2222 (forward)`: once each, with all that say so. */
export function showAddresses(addresses: readonly GuestAddress[]): string {
  const sources = new Map<string, string[]>();
  for (const { address, source } of addresses) {
    const known = sources.get(address) ?? [];
    if (!known.includes(source)) sources.set(address, [...known, source]);
  }
  return [...sources].map(([address, from]) => `${address} (${from.join(", ")})`).join(", ");
}
