/**
 * A record as the text of its file, and back.
 *
 * The text begins with a checksum of the rest, because JSON with one bit turned is often JSON still. It stands under the name of the
 * field after it: a reader that does not know it takes the second of the two (`JSON.parse` has the last one win), so an earlier
 * agent reads the record as ever, and drops the checksum with its first write instead of carrying along one that is no longer right.
 * What has none is believed as far as its shape is right (`record-shape.ts`).
 */
import { createHash } from "node:crypto";
import { isDnsLabel } from "../../model/names.ts";
import { findShapeProblem, isObject } from "./record-shape.ts";
import { RECORD_FORMAT, type StoredVm } from "./vm-record.ts";

const CHECKSUM = /^\{"format":"sha256 ([0-9a-f]{64})",(?="format":)/;

export function recordText({ format, ...rest }: StoredVm): string {
  const text = JSON.stringify({ format, ...rest });
  return `{"format":"sha256 ${checksumOf(text)}",${text.slice(1)}`;
}

/** Throws a plain Error that says what is wrong; the store says in which file. */
export function parseRecord(text: string, folder: string): StoredVm {
  const own = CHECKSUM.exec(text);
  const value = parse(text);
  if (value.format !== RECORD_FORMAT) throw new OtherFormat(value.format);
  if (value.name !== folder || !isDnsLabel(folder)) throw new Error("it does not name the VM that its folder names");
  const problem = findShapeProblem(value);
  if (problem !== null) throw new DamagedRecord(problem);
  // Spaces behind it are of the reserve (`reserve.ts`).
  if (own !== null && checksumOf(`{${text.slice(own[0].length).trimEnd()}`) !== own[1])
    throw new DamagedRecord(
      "it is not as it was written: its checksum differs (who mends it by hand takes that, its first field, out, too)",
    );
  return value as unknown as StoredVm;
}

function parse(text: string): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new Error("it is not JSON, perhaps cut short");
  }
  if (!isObject(value)) throw new Error("it is not an object");
  return value;
}

const checksumOf = (text: string): string => createHash("sha256").update(text).digest("hex");

/** Written by another version of odorobo: not broken, so it stays where it is. */
export class OtherFormat extends Error {
  constructor(format: unknown) {
    super(`it has format ${JSON.stringify(format) ?? "none"}, this agent reads format ${RECORD_FORMAT}`);
  }
}

/** JSON, and not right inside. It stays where it is: most of it can be read, and mended, by a person. */
export class DamagedRecord extends Error {}
