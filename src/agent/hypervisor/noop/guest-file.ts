/**
 * The whole of a noop guest: `<runFolder>/guest.json`. It survives the agent as a process would. Remove the file, and the
 * guest was killed; edit it, and somebody changed the guest behind odorobo's back.
 *
 * Synchronous on purpose: a kilobyte in the page cache takes microseconds, and a report asks a thousand guests.
 */
import { readFileSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { isErrno, OdoroboError } from "../../../model/errors.ts";
import type { LiveConfig } from "../../../model/observed-state.ts";

export interface NoopGuest {
  /**
   * `off`: it powered itself off. `receiving`: there is none yet, one is waited for. On its way between two agents: `sent` where it was and
   * stands still, `whole` where it has come and stands still.
   */
  readonly phase: "running" | "paused" | "off" | "receiving" | "sent" | "whole";
  /** Milliseconds since 1970. */
  readonly bootedAt: number;
  readonly live: LiveConfig;
  /** What happened to it and was told already. */
  readonly told?: readonly string[];
  /** With `paused`: it stands still because these disks had no room for what it wrote. */
  readonly noRoomFor?: readonly string[];
  /** Memory that it was asked to give back. */
  readonly balloonMiB?: number;
}

export class GuestFile {
  readonly path: string;
  #seen: { readonly version: string; readonly guest: NoopGuest } | null = null;

  constructor(runFolder: string) {
    this.path = join(runFolder, "guest.json");
  }

  /** Null: killed. The same object as last time while the file is the same. */
  read(): NoopGuest | null {
    const version = this.#version();
    if (version === null) return null;
    if (this.#seen?.version === version) return this.#seen.guest;
    const guest = this.#parse();
    if (guest !== null) this.#seen = { version, guest };
    return guest;
  }

  write(guest: NoopGuest): void {
    const temporary = `${this.path}.tmp`;
    writeFileSync(temporary, `${JSON.stringify(guest, null, 2)}\n`, { mode: 0o600 });
    renameSync(temporary, this.path);
    const version = this.#version();
    this.#seen = version === null ? null : { version, guest };
  }

  remove(): void {
    rmSync(this.path, { force: true });
    this.#seen = null;
  }

  /** Whether the file is another one than what was read or written last. */
  hasChanged(): boolean {
    return this.#version() !== (this.#seen?.version ?? null);
  }

  #version(): string | null {
    const facts = statSync(this.path, { throwIfNoEntry: false, bigint: true });
    return facts ? `${facts.ino}.${facts.mtimeNs}.${facts.size}` : null;
  }

  #parse(): NoopGuest | null {
    try {
      const guest = JSON.parse(readFileSync(this.path, "utf8")) as NoopGuest;
      if (
        !["running", "paused", "off", "receiving", "sent", "whole"].includes(guest.phase) ||
        typeof guest.live?.cpus?.count !== "number"
      )
        throw new Error("its phase or its live configuration is missing");
      return guest;
    } catch (error) {
      if (isErrno(error, "ENOENT")) return null;
      throw new OdoroboError("HYPERVISOR_FAILED", `the noop guest's file ${this.path} cannot be understood`, {
        cause: error,
        hint: "repair the file, or remove it: that kills the guest",
      });
    }
  }
}
