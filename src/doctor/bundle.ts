/** Texts → one .tar.gz, for its owner alone. The only file that knows tar. */
import { createWriteStream } from "node:fs";
import { rm } from "node:fs/promises";
import { pipeline } from "node:stream/promises";
import { createGzip } from "node:zlib";
import { pack } from "tar-stream";
import { OdoroboError } from "../model/errors.ts";
import { byName, type Instant } from "../model/names.ts";
import type { SupportTexts } from "./support-texts.ts";

/** Rejects with FILE_UNWRITABLE, also when the file is there already: it is somebody's. */
export async function writeBundle(
  file: string,
  texts: SupportTexts,
  { folder, at }: { readonly folder: string; readonly at: Instant },
): Promise<void> {
  const archive = pack();
  const mtime = new Date(at);
  for (const [name, text] of Object.entries(texts).sort(([a], [b]) => byName(a, b)))
    archive.entry({ name: `${folder}/${name}`, mode: 0o600, mtime }, text);
  archive.finalize();
  let isOurs = false;
  const output = createWriteStream(file, { flags: "wx", mode: 0o600 });
  output.once("open", () => {
    isOurs = true;
  });
  try {
    await pipeline(archive, createGzip(), output);
  } catch (cause) {
    if (isOurs) await rm(file, { force: true });
    throw new OdoroboError("FILE_UNWRITABLE", `cannot write ${file}`, {
      cause,
      hint: "give a file that is not there yet, in a folder that is",
    });
  }
}
