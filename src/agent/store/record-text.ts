/**
 * A record as the text of its file, and back.
 *
 * The text ends in a checksum of all that stands before it, because JSON with one bit turned is often JSON still. Records of
 * earlier agents have none; what they say is believed as far as its shape is right (`record-shape.ts`).
 */
import { createHash } from "node:crypto";
import { isDnsLabel } from "../../model/names.ts";
import { findShapeProblem, isObject } from "./record-shape.ts";
import { RECORD_FORMAT, type StoredVm } from "./vm-record.ts";

const CHECKSUM = /,"checksum":"([0-9a-f]{64})"\}\s*$/;

export function recordText(record: StoredVm): string {
  const text = JSON.stringify(record);
  return `${text.slice(0, -1)},"checksum":"${checksumOf(text)}"}`;
}

/** Throws a plain Error that says what is wrong; the store says in which file. */
export function parseRecord(text: string, folder: string): StoredVm {
  const own = CHECKSUM.exec(text);
  const body = own === null ? text : `${text.slice(0, own.index)}}`;
  const value = parse(body);
  if (value.format !== RECORD_FORMAT) throw new OtherFormat(value.format);
  if (value.name !== folder || !isDnsLabel(folder)) throw new Error("it does not name the VM that its folder names");
  const problem = findShapeProblem(value);
  if (problem !== null) throw new DamagedRecord(problem);
  if (own !== null && checksumOf(body) !== own[1])
    throw new DamagedRecord(
      "it is not as it was written: its checksum differs (who mends it by hand takes that out, too)",
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
