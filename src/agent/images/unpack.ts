/** Decompression in the stream: gzip and zstd by Node, xz and bzip2 by the programs of these names. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { createGunzip, createZstdDecompress } from "node:zlib";
import { isErrno, OdoroboError } from "../../model/errors.ts";
import type { Compression } from "../../model/remote-image.ts";

type Bytes = AsyncIterable<Uint8Array>;

/** As much as zlib and the programs are given at once. */
const CHUNK_BYTES = 256 * 1024;

/** Hands `sink` what is in `packed`. Rejects as either does, and with IMAGE_REFUSED or UNSUPPORTED. */
export async function unpack(
  packed: Bytes,
  compression: Compression,
  sink: (bytes: Bytes) => Promise<void>,
  signal: AbortSignal,
): Promise<void> {
  if (compression === "none") return await sink(packed);
  if (compression === "xz" || compression === "bz2") return await byProgram(packed, compression, sink, signal);
  const stage =
    compression === "gz" ? createGunzip({ chunkSize: CHUNK_BYTES }) : createZstdDecompress({ chunkSize: CHUNK_BYTES });
  const broken: { by?: unknown } = {};
  stage.once("error", (error) => {
    broken.by = error;
  });
  try {
    await pipeline(Readable.from(packed, { objectMode: false }), stage, sink, { signal });
  } catch (error) {
    if (error === broken.by && isZlibError(error)) throw damaged(compression, error.message);
    throw error;
  }
}

const isZlibError = (error: unknown): error is Error => /^(Z_|ZSTD_)/.test((error as NodeJS.ErrnoException).code ?? "");

const PROGRAMS = { xz: "xz", bz2: "bzip2" } as const;

async function byProgram(
  packed: Bytes,
  compression: keyof typeof PROGRAMS,
  sink: (bytes: Bytes) => Promise<void>,
  signal: AbortSignal,
): Promise<void> {
  const program = PROGRAMS[compression];
  const child = spawn(program, ["-d", "-c"], { stdio: ["pipe", "pipe", "pipe"] });
  const ended = once(child, "close") as Promise<[number | null, NodeJS.Signals | null]>;
  let said = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    said = (said + text).slice(-1000);
  });
  const abort = new AbortController();
  const all = AbortSignal.any([signal, abort.signal]);
  // Where one end fails the other would wait for it for good.
  const together = async (part: Promise<void>) => {
    try {
      await part;
    } catch (error) {
      abort.abort(error);
      child.kill("SIGKILL");
      throw error;
    }
  };
  try {
    const feeding = together(pipeline(Readable.from(packed, { objectMode: false }), child.stdin, { signal: all }));
    const taking = together(pipeline(child.stdout, sink, { signal: all }));
    const results = await Promise.allSettled([feeding, taking]);
    const [code, by] = await ended;
    signal.throwIfAborted();
    // What the program did not like closes its input: its own words say more than the pipe's.
    if (code !== 0 && code !== null) throw damaged(compression, said.trim().split("\n").at(-1) ?? "");
    const failed = results.find((result) => result.status === "rejected");
    if (failed !== undefined) throw abort.signal.aborted ? abort.signal.reason : failed.reason;
    // By nobody of us: where there was no memory, say. Both pipes end as they do when all is well.
    if (code === null)
      throw new OdoroboError("IMAGE_FETCH_FAILED", `${program} was killed before all was unpacked (${by})`, {
        hint: "is there memory for it on this node? the kernel's log says who was killed for want of it",
      });
  } catch (error) {
    if (isErrno(error, "ENOENT"))
      throw new OdoroboError(
        "UNSUPPORTED",
        `${program} is not installed on this node, and the image is packed with it`,
        {
          cause: error,
          hint: `install it: apt-get install ${compression === "xz" ? "xz-utils" : "bzip2"}`,
        },
      );
    throw error;
  } finally {
    child.kill("SIGKILL");
  }
}

const damaged = (compression: Compression, said: string): OdoroboError =>
  new OdoroboError("IMAGE_REFUSED", `what was fetched cannot be unpacked as ${compression}: ${said}`, {
    hint: "correct compression in the manifest of the Image",
  });
