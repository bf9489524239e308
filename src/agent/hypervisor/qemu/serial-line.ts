/**
 * Gives a running guest's serial line its input: a named pipe in the run folder. QEMU's command line knows files only as outputs
 * before 8.0, so the line is told over QMP where it reads from, while the guest runs and without a byte being lost. A guest that
 * an older agent started has a socket instead, which makes it wait for who does not read: that is replaced in the same way.
 *
 * Done whenever an agent connects: done again, it changes nothing.
 */
import { constants } from "node:fs";
import { type FileHandle, open, rm, stat } from "node:fs/promises";
import { isErrno } from "../../../model/errors.ts";
import { consoleLog, consoleSocket, type VmPaths } from "../../launch-command.ts";
import { type SerialPort, socketPort } from "../../serial-port.ts";
import { runTool } from "../run-tool.ts";
import { consoleInput } from "./compile.ts";
import { SERIAL_ID, SERIAL_INPUT_ID } from "./device-ids.ts";
import type { QmpClient } from "./qmp/qmp.ts";

/** Rejects only when the signal comes or QEMU is gone: a guest without an input is better than none. */
export async function openSerialLine(qmp: QmpClient, paths: VmPaths, signal: AbortSignal): Promise<SerialPort> {
  const input = consoleInput(paths);
  const devices = await qmp.call("query-chardev", { signal });
  try {
    // Held meanwhile: a pipe that nobody has open for writing would make QEMU, and the guest, wait for somebody who does.
    await using pipe = await openPipe(input, paths, signal);
    if (!devices.some(({ label }) => label === SERIAL_INPUT_ID))
      await qmp.call(
        "chardev-add",
        { id: SERIAL_INPUT_ID, backend: { type: "pipe", data: { device: input } } },
        { signal },
      );
    const file = { in: input, out: consoleLog(paths), append: true } as const;
    await qmp.call("chardev-change", { id: SERIAL_ID, backend: { type: "file", data: file } }, { signal });
    return { kind: "logged", input: pipe.path };
  } catch (error) {
    signal.throwIfAborted();
    if (qmp.isClosed) throw error;
    const isSocket = devices.some(({ label, filename }) => label === SERIAL_ID && filename.includes("unix:"));
    return isSocket ? socketPort(consoleSocket(paths)) : { kind: "logged", input: null };
  }
}

interface Pipe extends AsyncDisposable {
  readonly path: string;
}

/** Open for QEMU's user, whose the run folder is, and for nobody else. */
async function openPipe(path: string, { runFolder }: VmPaths, signal: AbortSignal): Promise<Pipe> {
  const file = (await openIfPipe(path)) ?? (await makePipe(path, signal));
  try {
    const [facts, folder] = await Promise.all([file.stat(), stat(runFolder)]);
    if (facts.uid === process.getuid?.()) {
      if (facts.gid !== folder.gid) await file.chown(facts.uid, folder.gid);
      await file.chmod(0o660);
    }
  } catch (error) {
    await file.close();
    throw error;
  }
  return { path, [Symbol.asyncDispose]: () => file.close() };
}

/** Null: it is not there, or it is something else. */
async function openIfPipe(path: string): Promise<FileHandle | null> {
  try {
    const file = await open(path, constants.O_RDWR | constants.O_NONBLOCK | constants.O_NOFOLLOW);
    if ((await file.stat()).isFIFO()) return file;
    await file.close();
    return null;
  } catch (error) {
    if (isErrno(error, "ENOENT") || isErrno(error, "ELOOP")) return null;
    throw error;
  }
}

async function makePipe(path: string, signal: AbortSignal): Promise<FileHandle> {
  await rm(path, { force: true });
  const { missing } = await runTool("mkfifo", ["-m", "0600", path], { signal });
  const file = await openIfPipe(path);
  if (file !== null) return file;
  throw new Error(missing ? "mkfifo is not on this node" : `could not make the pipe ${path}`);
}
