/** The rows of a fleet as bytes: made once for all who ask for the same, whole and as changes since a tag. */
import { promisify } from "node:util";
import { gzip } from "node:zlib";
import type { GatewayVms } from "../../../report/gateway/page-documents.ts";
import type { FleetSight } from "../sight/fleet-sight.ts";

const zip = promisify(gzip);

/** Two megabytes of rows become a tenth at this level; the levels above take longer than a network of today. */
const LEVEL = 3;
/** Shorter ones are as quickly sent as unpacked. */
const ZIPPED_FROM = 4 * 1024;
/** Of how many earlier tags changes are kept ready. */
const MOST_SINCES = 32;

interface Made {
  readonly plain: Buffer<ArrayBuffer>;
  zipped: Promise<Buffer<ArrayBuffer>> | null;
}

interface Kept {
  readonly tag: string;
  readonly bySince: Map<string | null, Made>;
}

const kept = new WeakMap<FleetSight, Kept>();

export async function vmsBody(
  sight: FleetSight,
  asked: string | null,
  { fleet, now, mayZip }: { readonly fleet: string; readonly now: GatewayVms["now"]; readonly mayZip: boolean },
): Promise<{ readonly body: Buffer<ArrayBuffer>; readonly encoding: "gzip" | null }> {
  const { tag } = sight;
  // Words that are no tags are many, and would each have all rows made once more.
  const since = asked !== null && sight.knows(asked) ? asked : null;
  let mine = kept.get(sight);
  if (mine?.tag !== tag) {
    mine = { tag, bySince: new Map() };
    kept.set(sight, mine);
  }
  let made = mine.bySince.get(since);
  if (made === undefined) {
    const seenAt = sight.sighting?.observed.at ?? now;
    const document: GatewayVms = { kind: "GatewayVms", version: 1, fleet, now, seenAt, ...sight.vms(since) };
    made = { plain: Buffer.from(JSON.stringify(document)), zipped: null };
    if (mine.bySince.size >= MOST_SINCES) mine.bySince.clear();
    mine.bySince.set(since, made);
  }
  if (!mayZip || made.plain.length < ZIPPED_FROM) return { body: made.plain, encoding: null };
  made.zipped ??= zip(made.plain, { level: LEVEL });
  return { body: await made.zipped, encoding: "gzip" };
}
