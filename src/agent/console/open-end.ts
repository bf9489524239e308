/** Opens a line's end as a stream of bytes that never makes the agent wait. */
import { closeSync, constants, fchmodSync, fchownSync, fstatSync, openSync } from "node:fs";
import { readdir, readFile } from "node:fs/promises";
import { connect, type Socket } from "node:net";
import { isatty, ReadStream } from "node:tty";
import type { SerialEnd } from "../serial-port.ts";

/** A Unix socket answers at once or not at all. */
const CONNECT_MS = 3_000;

/** Null: nobody answers, or it is another's. */
export const openEnd = (end: SerialEnd): Promise<Socket | null> =>
  end.kind === "socket" ? connectTo(end.path) : openTerminal(end.path, end.holder);

function connectTo(path: string): Promise<Socket | null> {
  return new Promise((resolve) => {
    const socket = connect(path);
    // What it is does not matter: "close" follows each, and is the end of the line.
    socket.on("error", () => {});
    socket.setTimeout(CONNECT_MS, () => socket.destroy());
    const onClose = () => resolve(null);
    socket.once("close", onClose);
    socket.once("connect", () => {
      socket.off("close", onClose);
      socket.setTimeout(0);
      resolve(socket);
    });
  });
}

/**
 * The hypervisor keeps the master and has put the terminal into raw mode, which stays as it is while nobody has it open, as does
 * what was said meanwhile. It does not become the agent's controlling terminal: that would end the agent with the guest.
 */
async function openTerminal(path: string, holder: number | null): Promise<Socket | null> {
  const number = /^\/dev\/pts\/(\d+)$/.exec(path)?.[1];
  if (number === undefined || !(await holds(holder, number))) return null;
  let descriptor: number;
  try {
    descriptor = openSync(path, constants.O_RDWR | constants.O_NOCTTY | constants.O_NONBLOCK | constants.O_NOFOLLOW);
  } catch {
    return null;
  }
  try {
    if (!isatty(descriptor)) throw new Error(`${path} is no terminal`);
    keepToOurselves(descriptor);
    const stream = new ReadStream(descriptor);
    stream.on("error", () => stream.destroy());
    return stream;
  } catch {
    return null;
  } finally {
    // The stream has opened it for itself.
    closeSync(descriptor);
  }
}

/**
 * Numbers are given again as soon as they are free, and one that a hypervisor named a moment ago may be another guest's by now.
 * Of a process that may not be looked at it is believed.
 */
async function holds(process: number | null, number: string): Promise<boolean> {
  if (process === null) return true;
  try {
    for (const descriptor of await readdir(`/proc/${process}/fdinfo`)) {
      const facts = await readFile(`/proc/${process}/fdinfo/${descriptor}`, "utf8").catch(() => "");
      if (new RegExp(`^tty-index:\\s*${number}$`, "m").test(facts)) return true;
    }
    return false;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EACCES";
  }
}

/** It belongs to the user that all guests run as, each of which could read along and type: only root gives it to root. */
function keepToOurselves(descriptor: number): void {
  const { uid } = fstatSync(descriptor);
  const own = process.getuid?.() ?? uid;
  if (own === 0 && uid !== 0) fchownSync(descriptor, 0, 0);
  if (own === 0 || own === uid) fchmodSync(descriptor, 0o600);
}
