/**
 * Room for what must be written on a full disk: that a guest was ended, that a VM is gone.
 *
 *   <data>/reserve/<n>   pieces whose blocks are taken already
 *
 * A piece is filled in place and then renamed over the file that it replaces, and what was there before becomes the piece's
 * successor. So nobody can take the room between giving it up and using it, and using it does not use it up. A file written
 * this way keeps the piece's length: spaces stand behind its content (what is kept this way is JSON).
 *
 * Invariants: a piece that has a second name is no piece: it is what somebody reads. No text that may be secret goes in.
 */
import { randomBytes } from "node:crypto";
import { link, open, readdir, rename, rm, stat, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { syncFolder } from "../../platform/atomic-write.ts";
import { makeFolders } from "../../platform/make-folders.ts";
import { isNoRoom } from "../storage-error.ts";

const KIB = 1024;
/**
 * One is written at a time. A record has 4 KiB, and up to 30 with 64 remembered operations; one of hundreds of devices takes
 * several pieces.
 */
const PIECES = [64 * KIB, 64 * KIB, 16 * KIB, 16 * KIB, 16 * KIB, 16 * KIB];

export interface Reserve extends AsyncDisposable {
  /** As `writeFileAtomically`, on a disk without room. Rejects with the system's error when nothing is left of the reserve. */
  write(path: string, content: string): Promise<void>;
  /** Makes anew what is missing, as far as there is room. Never rejects. */
  refill(): Promise<void>;
}

export async function openReserve(dataFolder: string): Promise<Reserve> {
  const folder = join(dataFolder, "reserve");
  const pieces: Piece[] = [];
  let named = 0;
  let filling: Promise<void> | null = null;
  let writing: Promise<void> = Promise.resolve();
  let isClosed = false;
  const newName = () => join(folder, String(++named));

  for (const name of await readdir(folder).catch(() => [])) {
    const path = join(folder, name);
    named = Math.max(named, Number(name) || 0);
    const bytes = await bytesAlone(path);
    if (bytes > 0) pieces.push({ path, bytes });
    else await rm(path, { force: true }).catch(() => {});
  }

  async function fill(): Promise<void> {
    try {
      await makeFolders(folder);
      for (const bytes of PIECES.slice(0, Math.max(0, PIECES.length - pieces.length))) {
        if (isClosed) return;
        const path = newName();
        await makePiece(path, bytes);
        pieces.push({ path, bytes });
      }
    } catch {
      // No room for more: what there is has to do.
    }
  }

  /** The piece stands at `path` when it resolves; what stood there is a piece. */
  async function replace(piece: Piece, path: string, content: Buffer): Promise<void> {
    const file = await open(piece.path, "r+");
    try {
      const spaces = Buffer.alloc(Math.max(0, piece.bytes - content.length), " ");
      // All of it, or an error: one call of the kernel's may write less.
      await file.writeFile(Buffer.concat([content, spaces]));
      await file.sync();
    } finally {
      await file.close();
    }
    const successor = newName();
    const isKept = await link(path, successor).then(
      () => true,
      () => false,
    );
    await rename(piece.path, path);
    await syncFolder(dirname(path));
    // Only now nobody finds it under its old name any more, whatever happens to the host.
    const bytes = isKept ? await bytesAlone(successor) : 0;
    if (bytes > 0) pieces.push({ path: successor, bytes });
  }

  async function write(path: string, content: Buffer): Promise<void> {
    let failure: unknown = Object.assign(new Error("the reserve is used up"), { code: "ENOSPC" });
    for (let piece = take(content.length); piece !== undefined; piece = take(content.length)) {
      try {
        return await replace(piece, path, content);
      } catch (error) {
        failure = error;
        if (!isNoRoom(error)) {
          pieces.push(piece);
          break;
        }
        // Too small: what it had makes the next one larger.
        await rm(piece.path, { force: true }).catch(() => {});
      }
    }
    throw failure;
  }

  /** The smallest that is large enough, otherwise the largest. */
  function take(bytes: number): Piece | undefined {
    pieces.sort((a, b) => a.bytes - b.bytes);
    const fitting = pieces.findIndex((piece) => piece.bytes >= bytes);
    return pieces.splice(fitting, 1)[0];
  }

  return {
    write(path, content) {
      const mine = writing.then(() => write(path, Buffer.from(content)));
      writing = mine.catch(() => {});
      return mine;
    },
    refill() {
      filling ??= (isClosed ? Promise.resolve() : fill()).finally(() => {
        filling = null;
      });
      return filling;
    },
    async [Symbol.asyncDispose]() {
      isClosed = true;
      await Promise.all([filling, writing]);
    },
  };
}

interface Piece {
  readonly path: string;
  /** What it has of the disk. */
  readonly bytes: number;
}

/** Whole blocks: what a file's last one has left is its own, too. 0 for what has another name, or nothing in it. */
const bytesAlone = (path: string): Promise<number> =>
  stat(path).then(
    (facts) => (facts.isFile() && facts.nlink === 1 && facts.size > 0 ? Math.max(facts.size, facts.blocks * 512) : 0),
    () => 0,
  );

/** Of bytes that no file system makes smaller. Not synced: a piece that a power cut emptied is made anew. */
async function makePiece(path: string, bytes: number): Promise<void> {
  try {
    await writeFile(path, randomBytes(bytes), { flag: "wx", mode: 0o600 });
  } catch (error) {
    await rm(path, { force: true }).catch(() => {});
    throw error;
  }
}
