/** What it means when a write fails, once for all who keep things on the node's disks. */
import { OdoroboError } from "../model/errors.ts";

/** No room: of the disk, or of what this user may have of it. Making room mends it, and nothing is broken. */
const FULL: Readonly<Record<string, string>> = {
  ENOSPC: "the disk is full: make room on the node; shutdown, delete and purge work all the same",
  EDQUOT:
    "the agent's user has used up its quota there: make room, or raise it; shutdown, delete and purge work all the same",
};

/** The disk itself: room does not help. */
const BROKEN: Readonly<Record<string, string>> = {
  EROFS: "the file system there is read-only, as Linux makes it after an error of the disk: look at dmesg on the node",
  EIO: "the disk there does not work: look at dmesg on the node",
};

const codeOf = (error: unknown): string => {
  const { code } = (error ?? {}) as { code?: unknown };
  return typeof code === "string" ? code : "unknown error";
};

export const isNoRoom = (error: unknown): boolean => Object.hasOwn(FULL, codeOf(error));

/** Whether it is the disk's answer, and no mistake of ours. */
const isDiskError = (error: unknown): boolean => isNoRoom(error) || Object.hasOwn(BROKEN, codeOf(error));

/** What a part that did not foresee it threw: the disk's answer by its name, anything else as it is. */
export const orStorageError = (message: string, error: unknown): unknown =>
  isDiskError(error) ? storageError(message, error) : error;

/** INSUFFICIENT_STORAGE where room would help, otherwise STORAGE_FAILED. `message`: what could not be written, and where. */
export function storageError(message: string, cause: unknown, hint = "look at the folder on the node"): OdoroboError {
  if (cause instanceof OdoroboError) return cause;
  const code = codeOf(cause);
  return new OdoroboError(isNoRoom(cause) ? "INSUFFICIENT_STORAGE" : "STORAGE_FAILED", `${message} (${code})`, {
    cause,
    hint: FULL[code] ?? BROKEN[code] ?? hint,
  });
}
