/** OpenSSH's own clients, with the person's terminal, keys and configuration. */
import { spawn } from "node:child_process";
import { constants } from "node:os";
import { isErrno, OdoroboError } from "../../../model/errors.ts";

/** Resolves with its exit code; one that a signal ended has 128 and that signal's number, as shells say it. Rejects with USAGE where there is none. */
export function runClient(program: "ssh" | "scp", args: readonly string[]): Promise<number> {
  return new Promise((resolve, reject) => {
    const client = spawn(program, args, { stdio: "inherit" });
    // It has the terminal: what is typed there is for it, Ctrl-C too.
    const ignore = () => {};
    process.on("SIGINT", ignore);
    const end = () => process.off("SIGINT", ignore);
    client.once("error", (error) => {
      end();
      reject(
        isErrno(error, "ENOENT")
          ? new OdoroboError("USAGE", `there is no ${program} on this machine`, {
              hint: "install OpenSSH's client (Debian: apt-get install openssh-client)",
            })
          : error,
      );
    });
    client.once("exit", (code, signal) => {
      end();
      resolve(code ?? 128 + (signal === null ? 0 : constants.signals[signal]));
    });
  });
}
