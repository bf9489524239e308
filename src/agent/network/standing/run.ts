/** Starts the node's own programs, without a shell. What they change is one command each: an agent can die between any two. */
import { execFile } from "node:child_process";
import { isErrno, OdoroboError } from "../../../model/errors.ts";

export interface Command {
  readonly program: "ip" | "bridge" | "nft";
  readonly args: readonly string[];
  readonly input?: string;
}

/** What it printed. Rejects with UNSUPPORTED where the program is not there, HYPERVISOR_FAILED with what it said where it fails. */
export type Run = (command: Command, signal: AbortSignal) => Promise<string>;

const PACKAGES = { ip: "iproute2", bridge: "iproute2", nft: "nftables" } as const;

/** A listing of thousands of rules has some megabytes. */
const MOST_OUTPUT = 64 * 1024 * 1024;

export const runProgram: Run = ({ program, args, input }, signal) =>
  new Promise((resolve, reject) => {
    const child = execFile(program, args, { signal, maxBuffer: MOST_OUTPUT }, (error, stdout, stderr) => {
      if (error === null) return resolve(stdout);
      if (signal.aborted) return reject(signal.reason);
      if (isErrno(error, "ENOENT"))
        return reject(
          new OdoroboError(
            "UNSUPPORTED",
            `networks that odorobo makes need the program ${program}, which is not on this node`,
            {
              hint: `install it: apt-get install ${PACKAGES[program]}`,
            },
          ),
        );
      reject(
        new OdoroboError("HYPERVISOR_FAILED", `${program} ${args.join(" ")}: ${firstLine(stderr) || error.message}`, {
          hint: "the agent needs CAP_NET_ADMIN for this, and a kernel that has it: odorobo doctor",
        }),
      );
    });
    // A program that ends without reading it has said why.
    child.stdin?.on("error", () => {});
    child.stdin?.end(input ?? "");
  });

const firstLine = (text: string): string => text.trim().split("\n")[0] ?? "";
