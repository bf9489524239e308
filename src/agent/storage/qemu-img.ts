/** `qemu-img`, the only tool that disks need; it appears in no other file. Run without a shell. */
import { execFile } from "node:child_process";
import { isErrno, OdoroboError } from "../../model/errors.ts";
import type { ImageFormat } from "../../model/vm-spec.ts";

export interface Overlay {
  readonly path: string;
  readonly backing: string;
  readonly format: ImageFormat;
  readonly bytes: number;
}

/** A copy-on-write disk: reads what is not written from the backing image. */
export const createOverlay = (overlay: Overlay, signal: AbortSignal): Promise<void> =>
  run(
    [
      "create",
      "-q",
      "-f",
      "qcow2",
      "-b",
      overlay.backing,
      "-F",
      overlay.format,
      "--",
      overlay.path,
      `${overlay.bytes}`,
    ],
    `could not make an overlay over ${overlay.backing}`,
    signal,
  );

export const growImage = (path: string, bytes: number, signal: AbortSignal): Promise<void> =>
  run(["resize", "-q", "-f", "qcow2", "--", path, `${bytes}`], `could not grow ${path}`, signal);

/** Only the name in its header: what is below must be the same bytes. */
export const setBacking = ({ path, backing, format }: Omit<Overlay, "bytes">, signal: AbortSignal): Promise<void> =>
  run(
    ["rebase", "-u", "-q", "-f", "qcow2", "-b", backing, "-F", format, "--", path],
    `could not have ${path} stand on ${backing}`,
    signal,
  );

async function run(args: readonly string[], message: string, signal: AbortSignal): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    execFile("qemu-img", args, { signal }, (error, _stdout, stderr) => {
      if (error === null) return resolve();
      if (error.name === "AbortError") return reject(error);
      const missing = isErrno(error, "ENOENT");
      const said = stderr.trim().split("\n").at(-1) ?? "";
      const isFull = /No space left on device|Disk quota exceeded/.test(said);
      reject(
        new OdoroboError(
          isFull ? "INSUFFICIENT_STORAGE" : "STORAGE_FAILED",
          `${message}: ${missing ? "qemu-img is not installed" : said}`,
          {
            cause: error,
            hint: missing ? "install it on the node: apt-get install qemu-utils" : undefined,
          },
        ),
      );
    });
  });
}
