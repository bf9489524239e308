/** Branded names: strings that cannot be swapped for one another by accident. */

declare const brand: unique symbol;
type Branded<Tag extends string> = string & { readonly [brand]: Tag };

/** A VM's name: a DNS label, unique in the fleet, and its id everywhere. */
export type VmName = Branded<"VmName">;
/** A node's name as the manifests and the agent itself both say it. */
export type NodeName = Branded<"NodeName">;
/** sha256 of a text, in lower-case hex. Large or secret texts travel by digest, never inside a spec. */
export type Digest = Branded<"Digest">;
/** A moment, ISO 8601 in UTC with milliseconds, as `Date.prototype.toISOString` writes it. */
export type Instant = Branded<"Instant">;

export const vmName = (text: string): VmName => text as VmName;
export const nodeName = (text: string): NodeName => text as NodeName;
export const digest = (hex: string): Digest => hex as Digest;
export const instant = (iso: string): Instant => iso as Instant;

/** RFC 1123 label: what DNS, systemd unit instances, tap names and folder names all accept. At most 63 characters. */
export const DNS_LABEL = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/;

export const isDnsLabel = (text: string): boolean => DNS_LABEL.test(text);

/**
 * Orders names by code unit. Every list a person or a digest sees is sorted with this:
 * `localeCompare` depends on the machine, and arrival order on the network.
 */
export const byName = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);
