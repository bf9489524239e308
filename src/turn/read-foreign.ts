/** Files of elsewhere → their texts, for `import/`. A folder stands for the XML files in it. */
import { readdir, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { text as textOf } from "node:stream/consumers";
import { type ForeignText, type Imported, importTexts } from "../import/import-texts.ts";
import { isErrno, OdoroboError } from "../model/errors.ts";

/** A domain with two hundred disks has some 100 KiB. */
const MAX_FILE_BYTES = 4 * 1024 * 1024;

/** `paths`: files and folders; `-`: stdin. Rejects with IMPORT_UNREADABLE when one cannot be opened, or there is nothing in any. */
export async function readForeign(paths: readonly string[], bridges: ReadonlyMap<string, string>): Promise<Imported> {
  const files = (await Promise.all(paths.map(filesOf))).flat();
  const texts: ForeignText[] = [];
  // One after another: a folder may hold thousands, and each is small.
  for (const path of files) texts.push({ path: path === "-" ? "(stdin)" : path, text: await read(path) });
  const imported = importTexts(texts, bridges);
  if (texts.length === 0)
    throw new OdoroboError("IMPORT_UNREADABLE", `there are no .xml files in ${paths.join(", ")}`, {
      hint: "virsh dumpxml GUEST > guest.xml writes one",
    });
  return imported;
}

async function filesOf(path: string): Promise<readonly string[]> {
  if (path === "-") return [path];
  try {
    if (!(await stat(path)).isDirectory()) return [path];
    const entries = await readdir(path, { withFileTypes: true });
    return entries
      .filter((each) => each.isFile() && /\.xml$/i.test(each.name))
      .map(({ name }) => join(path, name))
      .sort();
  } catch (cause) {
    throw cannotRead(path, cause);
  }
}

async function read(path: string): Promise<string> {
  if (path === "-") return textOf(process.stdin);
  try {
    const { size } = await stat(path);
    if (size > MAX_FILE_BYTES)
      throw new OdoroboError(
        "IMPORT_UNREADABLE",
        `${path} has ${Math.ceil(size / 1024 / 1024)} MiB, more than any domain`,
        {
          hint: "give what virsh dumpxml prints",
        },
      );
    return await readFile(path, "utf8");
  } catch (cause) {
    if (cause instanceof OdoroboError) throw cause;
    throw cannotRead(path, cause);
  }
}

const cannotRead = (path: string, cause: unknown): OdoroboError =>
  new OdoroboError("IMPORT_UNREADABLE", `${path} cannot be read`, {
    cause,
    hint: isErrno(cause, "ENOENT") ? "is that its name?" : "may you read it? virsh dumpxml needs no such right",
  });
