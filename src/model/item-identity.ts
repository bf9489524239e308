/** By what an item of a list is known, in parts of a spec that odorobo does not model: hypervisors' own settings. Pure. */

/** The first that an item has counts. */
const IDENTITIES = [
  "id",
  "tag",
  "socket",
  "path",
  "file",
  "tap",
  "mac",
  "guest_numa_id",
  "pci_segment",
  "vcpu",
] as const;

/** `share1`, or null for what nothing tells from others. Two items of a list with one identity are one item. */
export function identityOf(item: unknown): string | null {
  if (item === null || item === undefined) return null;
  // Texts, numbers and lists have none of these.
  const record = item as Readonly<Record<string, unknown>>;
  for (const key of IDENTITIES) {
    const value = record[key];
    if (typeof value === "string" || typeof value === "number") return String(value);
  }
  return null;
}
