/** How much an agent takes in at once. */

/** A spec is some kilobytes, cloud-init texts are at most 64 KiB in practice: more is a mistake or an attack. */
export const MAX_REQUEST_BYTES = 1024 * 1024;

/** What a PUT of a VM says beside its spec and its texts: ids, fleet, commit, digests; some hundred bytes. */
const REQUEST_HEAD_BYTES = 4096;

/** For a spec and its texts, as JSON. */
export const MAX_VM_BYTES = MAX_REQUEST_BYTES - REQUEST_HEAD_BYTES;

/** As it is sent: some characters take six bytes. */
export const bytesAsJson = (value: unknown): number => new TextEncoder().encode(JSON.stringify(value)).length;
