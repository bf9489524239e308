/** Which files a process has open: all that tells of a guest's disks where no record does. */
import { readdir, readFile, readlink } from "node:fs/promises";
import { join } from "node:path";

export interface OpenFile {
  /** As the process sees it. */
  readonly path: string;
  /** Leads to the file itself, whatever its path is by now, and in whatever view of the file system. */
  readonly link: string;
  readonly readonly: boolean;
}

/** Touches none of them: their storage may not answer. Empty where this user may not see it, or the process is gone. */
export async function filesOpenIn(pid: number): Promise<readonly OpenFile[]> {
  const folder = `/proc/${pid}/fd`;
  const numbers = await readdir(folder).catch(() => []);
  const files = await Promise.all(
    numbers.map(async (number): Promise<OpenFile[]> => {
      try {
        const link = join(folder, number);
        const path = await readlink(link);
        const flags = /^flags:\s*([0-7]+)$/m.exec(await readFile(`/proc/${pid}/fdinfo/${number}`, "utf8"))?.[1];
        // <fcntl.h>: the last two bits are O_RDONLY, O_WRONLY or O_RDWR.
        return path.startsWith("/") ? [{ path, link, readonly: Number(flags?.at(-1) ?? 1) % 4 === 0 }] : [];
      } catch {
        return [];
      }
    }),
  );
  return files.flat();
}
