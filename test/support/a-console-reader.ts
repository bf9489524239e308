/** Another process that reads a guest's serial line, to be frozen or killed. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import type { SerialEnd, SerialPort } from "../../src/agent/serial-port.ts";

const SCRIPT = fileURLToPath(new URL("console-reader-script.ts", import.meta.url));

export interface ConsoleReader extends AsyncDisposable {
  freeze(): void;
  thaw(): void;
  /** SIGKILL; resolves when it is gone. */
  kill(): Promise<void>;
}

/** Resolves when it reads. `log`: where it writes what it reads, unless the hypervisor does. */
export async function aConsoleReader(
  place: SerialEnd | Extract<SerialPort, { kind: "logged" }>,
  log: string,
): Promise<ConsoleReader> {
  const child = spawn(process.execPath, [SCRIPT, JSON.stringify(place), log], { stdio: ["ignore", "pipe", "inherit"] });
  const exited = once(child, "exit");
  await Promise.race([once(child.stdout, "data"), exited]);
  const kill = async () => {
    child.kill("SIGKILL");
    await exited;
  };
  return {
    freeze: () => void child.kill("SIGSTOP"),
    thaw: () => void child.kill("SIGCONT"),
    kill,
    [Symbol.asyncDispose]: kill,
  };
}
