/**
 * What an agent writes down about networks before it makes them, `<data>/networks.json`: which it has begun (an interface that is there without a
 * mark may be one of them), and which addresses NICs were given.
 */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { sameValue } from "../../model/fields.ts";
import { byName } from "../../model/names.ts";
import { writeFileAtomically } from "../../platform/atomic-write.ts";
import type { Logger } from "../../platform/logger.ts";
import { storageError } from "../storage-error.ts";
import type { Leases } from "./wanted/wanted-network.ts";

export interface Notes {
  /** Bridges, sorted. */
  readonly begun: readonly string[];
  readonly leases: Leases;
}

const NOTHING: Notes = { begun: [], leases: {} };

export class NetworkNotes {
  readonly #path: string;
  readonly #logger: Logger;
  #notes: Notes | null = null;

  constructor(dataFolder: string, logger: Logger) {
    this.#path = join(dataFolder, "networks.json");
    this.#logger = logger;
  }

  /** A file that cannot be read is as good as none: NICs mostly get the same addresses again. */
  async read(): Promise<Notes> {
    if (this.#notes !== null) return this.#notes;
    const text = await readFile(this.#path, "utf8").catch(() => null);
    this.#notes = text === null ? NOTHING : (parseNotes(text) ?? NOTHING);
    if (text !== null && this.#notes === NOTHING)
      this.#logger.warn({ path: this.#path }, "what was noted of networks cannot be read, and is left aside");
    return this.#notes;
  }

  /** Durable when it resolves. */
  async write({ begun, leases }: Notes): Promise<void> {
    const notes = { begun: [...new Set(begun)].sort(byName), leases };
    if (sameValue(notes, await this.read())) return;
    try {
      await writeFileAtomically(this.#path, JSON.stringify(notes));
    } catch (error) {
      throw storageError(`could not write ${this.#path}`, error);
    }
    this.#notes = notes;
  }
}

function parseNotes(text: string): Notes | null {
  try {
    const value = JSON.parse(text) as Partial<Notes>;
    const isWhole = Array.isArray(value.begun) && typeof value.leases === "object" && value.leases !== null;
    return isWhole ? (value as Notes) : null;
  } catch {
    return null;
  }
}
