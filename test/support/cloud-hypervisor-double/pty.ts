/** A pseudo terminal as the real one makes it: unlocked, raw, the master kept by this process, `/dev/pts/N` for whoever reads. */
import { spawnSync } from "node:child_process";
import { closeSync, constants, openSync, readFileSync, writeSync } from "node:fs";
import { ReadStream } from "node:tty";

export interface Pty {
  readonly path: string;
  /** How many bytes it took: none while what was said before is unread. */
  write(bytes: Buffer): number;
  hear(listener: (bytes: Buffer) => void): void;
  /** Hangs up, a moment later: what nobody has read by then is gone. */
  close(): void;
}

/** TIOCSPTLCK of <asm-generic/ioctls.h>. Node has no ioctl; every Debian has a perl. */
const UNLOCK = `my $off = pack("i", 0); ioctl(STDIN, 0x40045431, $off) or die $!`;
/** The real one stops vCPUs and devices first, in threads of their own. How long that takes was not measured; a reader has that long. */
const HANG_UP_MS = 250;
const FLAGS = constants.O_RDWR | constants.O_NONBLOCK | constants.O_NOCTTY;

export function openPty(): Pty {
  const master = openSync("/dev/ptmx", FLAGS);
  const path = `/dev/pts/${/^tty-index:\s*(\d+)/m.exec(readFileSync(`/proc/self/fdinfo/${master}`, "utf8"))?.[1]}`;
  run("perl", ["-e", UNLOCK], master);
  // Kept open: a master whose terminal nobody has open cannot be read.
  const slave = openSync(path, FLAGS);
  run("stty", ["raw", "-echo"], slave);
  let input: ReadStream | null = null;
  return {
    path,
    write(bytes) {
      try {
        return writeSync(master, bytes);
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code === "EAGAIN") return 0;
        throw error;
      }
    },
    hear(listener) {
      input = new ReadStream(master);
      input.on("error", () => {});
      input.on("data", listener);
    },
    close() {
      setTimeout(() => {
        closeSync(slave);
        if (input === null) closeSync(master);
        else input.destroy();
      }, HANG_UP_MS).unref();
    },
  };
}

function run(program: string, args: readonly string[], terminal: number): void {
  const { status, error, stderr } = spawnSync(program, args, { stdio: [terminal, "ignore", "pipe"] });
  if (status !== 0) throw error ?? new Error(`${program}: ${stderr}`);
}
