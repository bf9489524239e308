/** What lifecycle tells of guests' serial lines, and need not know more about. */
import type { VmName } from "../../model/names.ts";
import type { LinePlace } from "./console.ts";

export interface SerialLines {
  /** A guest's process was started or found. Its line need not be there yet. */
  begin(name: VmName, place: LinePlace): GuestLine;
}

export interface GuestLine {
  /** The guest is off, or let go of. Resolves when its last words are in the log: what is read there afterwards is all. */
  end(): Promise<void>;
}

/** For those who have no consoles. */
export const noSerialLines: SerialLines = { begin: () => ({ end: async () => {} }) };
