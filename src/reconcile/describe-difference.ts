/** A changed field as a short sentence. Texts that may hold secrets are digests in a spec, so nothing here can show one. */
import { type FieldDifference, sameValue } from "../model/fields.ts";
import { byName } from "../model/names.ts";
import { isChecksumsFile, type RemoteImage } from "../model/remote-image.ts";

/** `cpus.count 2 → 4`, with the note behind it. */
export function describeDifference({ path, from, to }: FieldDifference, note: string | null): string {
  const unit = path.startsWith("memory.") ? " MiB" : "";
  const change =
    from === null
      ? `${path} added: ${show(to)}`
      : to === null
        ? `${path} removed`
        : isRecord(from) && isRecord(to)
          ? describeKeys(path, from, to)
          : `${path} ${show(from)} → ${show(to)}${unit}`;
  return note === null ? change : `${change} (${note})`;
}

/** Only the keys that differ, however deep, so that a long object does not hide a short change. */
function describeKeys(path: string, from: Record<string, unknown>, to: Record<string, unknown>): string {
  const parts = changedKeys(path, from, to);
  return parts.length <= 3 ? parts.join(", ") : `${parts.slice(0, 3).join(", ")} and ${parts.length - 3} more`;
}

function changedKeys(path: string, from: Record<string, unknown>, to: Record<string, unknown>): string[] {
  const keys = [...new Set([...Object.keys(from), ...Object.keys(to)])].sort(byName);
  return keys.flatMap((key) => {
    const [before, after] = [from[key], to[key]];
    if (sameValue(before, after)) return [];
    if (key === "remote" && isRecord(after)) return [`${path} image: ${showRemote(before)} → ${showRemote(after)}`];
    // Where a disk comes from is part of the disk, as in the manifests.
    const place = key === "origin" ? path : `${path}.${key}`;
    if (isRecord(before) && isRecord(after)) return changedKeys(place, before, after);
    // `disks.root.size 1024 → 2048 MiB`: as in the manifests, and with its unit, as memory has it.
    const named = place.replace(/MiB$/, "");
    return [`${named} ${show(before)} → ${show(after)}${named === place ? "" : " MiB"}`];
  });
}

/** By what its bytes are known. */
function showRemote(remote: unknown): string {
  const sources = (remote as RemoteImage | undefined)?.sources ?? [];
  const shown = sources.map(({ checksum }) =>
    isChecksumsFile(checksum) ? checksum.url : `${checksum.algorithm} ${checksum.digest.slice(0, 12)}`,
  );
  return shown.length === 0 ? "a file of the node" : show([...new Set(shown)].join(", "));
}

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

const LONGEST = 60;

function show(value: unknown): string {
  if (value === undefined || value === null) return "nothing";
  const text = typeof value === "string" && value !== "" ? value : JSON.stringify(value);
  return text.length > LONGEST ? `${text.slice(0, LONGEST - 1)}…` : text;
}
