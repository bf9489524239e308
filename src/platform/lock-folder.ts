/**
 * One agent, or one gateway, per data folder. The lock is a listening socket in Linux's abstract namespace, named after the folder itself and
 * not its path, which containers give to folders of their own: the kernel lets go of it when the process ends, however it
 * ends, so there is no stale lock file to judge.
 */
import { realpath, stat } from "node:fs/promises";
import { connect, createServer } from "node:net";
import { digestOfText } from "../model/digest.ts";
import { isErrno, OdoroboError } from "../model/errors.ts";

/** One that runs answers within a millisecond. */
const HOLDER_MS = 500;

/** `who`: `agent`, `gateway`. Rejects with DATA_FOLDER_IN_USE while another of them holds it. */
export async function lockDataFolder(dataFolder: string, who = "agent"): Promise<AsyncDisposable> {
  const folder = await realpath(dataFolder);
  const { dev, ino } = await stat(folder, { bigint: true });
  const path = `\0odorobo-${who}-${digestOfText(`${dev} ${ino}`).slice(0, 32)}`;
  // Whoever knocks is told who is in.
  const server = createServer((socket) => socket.on("error", () => {}).end(String(process.pid)));
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen({ path }, resolve);
  }).catch(async (error: unknown) => {
    if (!isErrno(error, "EADDRINUSE")) throw error;
    const holder = await askHolder(path);
    const which = holder === null ? "" : `, process ${holder},`;
    throw new OdoroboError("DATA_FOLDER_IN_USE", `another ${who}${which} uses the data folder ${folder}`, {
      hint: `stop the other ${who}, or give this one a data folder of its own: --data`,
    });
  });
  server.unref();
  return {
    [Symbol.asyncDispose]: () => new Promise<void>((resolve) => server.close(() => resolve())),
  };
}

/** The pid of who holds the lock; null when it does not say so at once: it may be stopping or stopped. */
function askHolder(path: string): Promise<number | null> {
  return new Promise((resolve) => {
    let said = "";
    const socket = connect({ path });
    socket.setTimeout(HOLDER_MS, () => socket.destroy());
    socket.on("data", (bytes) => {
      said += bytes;
    });
    socket.on("error", () => {});
    socket.on("close", () => resolve(/^\d{1,10}$/.test(said) ? Number(said) : null));
  });
}
