/**
 * How noop's guests move: the file of a guest is renamed into the run folder of the VM that waits for it. A rename is done
 * or not done, so whatever dies in between, the guest is in one place. Both agents are on one host, which is enough to rehearse.
 */
import { readFileSync, renameSync, rmSync, watch } from "node:fs";
import { basename, dirname, join } from "node:path";
import { isErrno, OdoroboError } from "../../../model/errors.ts";
import { GuestFile, type NoopGuest } from "./guest-file.ts";

const SCHEME = "noop:";
const INCOMING = "incoming.json";

export const incomingUrl = (runFolder: string): string => SCHEME + join(runFolder, INCOMING);

/** Throws HYPERVISOR_FAILED when nobody waits there; then the guest is where it was. */
export function sendGuest(file: GuestFile, url: string): void {
  const target = url.startsWith(`${SCHEME}/`) ? url.slice(SCHEME.length) : "";
  // Nothing but the file that a waiting guest named is ever written.
  if (basename(target) !== INCOMING || new GuestFile(dirname(target)).read()?.phase !== "receiving")
    throw new OdoroboError("HYPERVISOR_FAILED", `no noop guest is waited for at ${url}`, {
      hint: "odorobo vm migrate-receive NAME says where to send it",
    });
  try {
    renameSync(file.path, target);
  } catch (cause) {
    throw new OdoroboError("HYPERVISOR_FAILED", `the noop guest could not be moved to ${url}`, {
      cause,
      hint: "noop's guests move within one file system",
    });
  }
}

/** Takes in the guest that was sent here. False: none was. */
export function takeIn(runFolder: string, now: number): boolean {
  const incoming = join(runFolder, INCOMING);
  let guest: NoopGuest;
  try {
    guest = JSON.parse(readFileSync(incoming, "utf8")) as NoopGuest;
  } catch (error) {
    if (isErrno(error, "ENOENT")) return false;
    throw error;
  }
  new GuestFile(runFolder).write({ ...guest, bootedAt: Math.min(guest.bootedAt, now) });
  rmSync(incoming, { force: true });
  return true;
}

/** Resolves when one was taken in; rejects when its file was removed, which kills the waiting, or with the signal's reason. */
export function arrivalOf(runFolder: string, now: () => number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const file = new GuestFile(runFolder);
    const end = (act: () => void) => {
      watcher.close();
      signal.removeEventListener("abort", onAbort);
      act();
    };
    const onAbort = () => end(() => reject(signal.reason));
    const look = () => {
      try {
        if (takeIn(runFolder, now())) end(resolve);
        else if (file.read() === null)
          end(() =>
            reject(new OdoroboError("HYPERVISOR_FAILED", "the wait for a guest was ended: its file was removed")),
          );
      } catch (error) {
        end(() => reject(error));
      }
    };
    const watcher = watch(runFolder, { persistent: false }, look);
    watcher.on("error", () => {});
    signal.addEventListener("abort", onAbort, { once: true });
    // It may have come before anybody watched.
    look();
  });
}
