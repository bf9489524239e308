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
export const createOverlay = (overlay: Overlay, signal: AbortSignal): Promise<unknown> =>
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

export const growImage = (path: string, bytes: number, signal: AbortSignal): Promise<unknown> =>
  run(["resize", "-q", "-f", "qcow2", "--", path, `${bytes}`], `could not grow ${path}`, signal);

/**
 * Where a file has bytes, as its file system says, in order; the rest are holes. Null: nobody can tell (no qemu-img, or a file system that does not
 * say). Only for a file that nobody writes to meanwhile.
 */
export function dataExtents(path: string): Promise<readonly (readonly [start: number, length: number])[] | null> {
  return new Promise((resolve) => {
    const args = ["map", "-f", "raw", "--output=json", "--", path];
    execFile("qemu-img", args, { maxBuffer: MOST_MAP_BYTES }, (error, stdout) => {
      if (error !== null) return resolve(null);
      try {
        const extents = JSON.parse(stdout) as readonly {
          start: number;
          length: number;
          data: boolean;
          zero: boolean;
        }[];
        resolve(extents.flatMap(({ start, length, data, zero }) => (data && !zero ? [[start, length] as const] : [])));
      } catch {
        resolve(null);
      }
    });
  });
}

/** A hundred bytes for each run: a file in a million pieces is read from end to end. */
const MOST_MAP_BYTES = 64 * 1024 * 1024;

/** All that a reader of the overlay sees, as one file that stands alone. */
export const flatten = (overlay: string, to: string, signal: AbortSignal): Promise<unknown> =>
  run(
    ["convert", "-q", "-f", "qcow2", "-O", "qcow2", "--", overlay, to],
    `could not make one file of ${overlay}`,
    signal,
  );

/** Only the name in its header: what is below must be the same bytes. */
export const setBacking = ({ path, backing, format }: Omit<Overlay, "bytes">, signal: AbortSignal): Promise<unknown> =>
  run(
    ["rebase", "-u", "-q", "-f", "qcow2", "-b", backing, "-F", format, "--", path],
    `could not have ${path} stand on ${backing}`,
    signal,
  );

/** All that a guest would see of a qcow2 image that stands alone, with its holes. Rejects with IMAGE_REFUSED where it is damaged. */
export const convertToRaw = async (image: string, to: string, signal: AbortSignal): Promise<void> => {
  // Out of order: what is packed is unpacked by several threads.
  await run(
    ["convert", "-q", "-W", "-f", "qcow2", "-O", "raw", "--", image, to],
    "it is no whole qcow2 image",
    signal,
    "IMAGE_REFUSED",
  );
};

/** Clusters that nothing points to: they take room, and nothing is wrong. */
const ONLY_LEAKS = 3;

/** Rejects with IMAGE_REFUSED: `convert` takes what lies behind the end of a file that was cut short for zeros, and says nothing. */
export const checkWhole = async (image: string, signal: AbortSignal): Promise<void> => {
  await run(
    ["check", "-q", "-f", "qcow2", "--", image],
    "it is no whole qcow2 image",
    signal,
    "IMAGE_REFUSED",
    ONLY_LEAKS,
  );
};

/** What `convertToRaw` will take of the disk. Rejects as it does. */
export async function rawBytesNeeded(image: string, signal: AbortSignal): Promise<number> {
  const said = await run(
    ["measure", "--output=json", "-f", "qcow2", "-O", "raw", image],
    "it is no whole qcow2 image",
    signal,
    "IMAGE_REFUSED",
  );
  return Number((JSON.parse(said) as { readonly required: number }).required);
}

async function run(
  args: readonly string[],
  message: string,
  signal: AbortSignal,
  code: "STORAGE_FAILED" | "IMAGE_REFUSED" = "STORAGE_FAILED",
  goodStatus = 0,
): Promise<string> {
  return await new Promise<string>((resolve, reject) => {
    execFile("qemu-img", args, { signal }, (error, stdout, stderr) => {
      if (error === null || error.code === goodStatus) return resolve(stdout);
      if (error.name === "AbortError") return reject(error);
      const missing = isErrno(error, "ENOENT");
      const said = stderr.trim().split("\n").at(-1) ?? "";
      const isFull = /No space left on device|Disk quota exceeded/.test(said);
      reject(
        new OdoroboError(
          isFull ? "INSUFFICIENT_STORAGE" : missing ? "STORAGE_FAILED" : code,
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
