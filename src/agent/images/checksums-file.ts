/** A file of checksums, as sha256sum, sha512sum, `--tag` and distributions write them. */
import { OdoroboError } from "../../model/errors.ts";
import type { ChecksumsFile, ImageChecksum } from "../../model/remote-image.ts";
import { refused } from "./open-url.ts";
import { Pace } from "./pace.ts";
import { SourceReader } from "./read-source.ts";

/** Those of distributions have some kilobytes. */
const MOST_BYTES = 4 * 1024 * 1024;

/** What it says now. Rejects with IMAGE_REFUSED or IMAGE_FETCH_FAILED. */
export async function fetchChecksum(
  { url, file }: ChecksumsFile,
  options: { readonly allowPrivate: boolean; readonly signal: AbortSignal },
): Promise<ImageChecksum> {
  const reader = new SourceReader({
    ...options,
    ...{ urls: [url], from: 0, etag: null, pace: new Pace(null) },
  });
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  try {
    for await (const chunk of reader.bytes()) {
      bytes += chunk.length;
      if (bytes > MOST_BYTES) throw refused(`${url} is too long for a file of checksums`, "name the file of checksums");
      chunks.push(chunk);
    }
  } catch (error) {
    options.signal.throwIfAborted();
    if (error instanceof OdoroboError) throw error;
    throw new OdoroboError("IMAGE_FETCH_FAILED", `the checksums of ${file}: ${(error as Error).message}`, {
      cause: error,
      hint: "can this node reach it? with sha256 or sha512 in the manifest it need not",
    });
  }
  const checksum = findChecksum(Buffer.concat(chunks).toString("utf8"), file);
  if (checksum !== null) return checksum;
  throw refused(
    `${url} has no SHA-256 or SHA-512 of ${file}`,
    "is the image called so there? checksums.file in the manifest says it",
  );
}

/** The strongest one of `file`, whatever folder it is said to be in; of a file with one checksum and no name, that. Null: there is none. */
export function findChecksum(text: string, file: string): ImageChecksum | null {
  const found = text.split(/\r?\n/).flatMap((line): { readonly digest: string; readonly name: string | null }[] => {
    const plain = /^\\?([0-9a-fA-F]{64}|[0-9a-fA-F]{128})(?:[ \t]+\*?(.+?))?[ \t]*$/.exec(line);
    if (plain !== null) return [{ digest: (plain[1] as string).toLowerCase(), name: plain[2] ?? null }];
    const tagged = /^SHA(?:256|512) \((.+)\) = ([0-9a-fA-F]{64}|[0-9a-fA-F]{128})[ \t]*$/.exec(line);
    return tagged === null ? [] : [{ digest: (tagged[2] as string).toLowerCase(), name: tagged[1] as string }];
  });
  const lone = found.length === 1 && found[0]?.name === null ? found : [];
  const fit = [
    ...found.filter(({ name }) => name === file),
    ...found.filter(({ name }) => baseOf(name) === file),
    ...lone,
  ];
  const best = fit.find(({ digest }) => digest.length === 128) ?? fit[0];
  return best === undefined
    ? null
    : { algorithm: best.digest.length === 128 ? "sha512" : "sha256", digest: best.digest };
}

const baseOf = (name: string | null): string | null => name?.split("/").at(-1) ?? null;
