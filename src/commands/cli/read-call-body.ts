/** The body of a call of the hypervisor's API: typed, in a file, or piped in. */
import { readFile } from "node:fs/promises";
import { text } from "node:stream/consumers";
import { OdoroboError } from "../../model/errors.ts";

/** Null: none was given. Throws USAGE for what is not JSON, before anybody is asked. */
export async function readCallBody(typed: string | undefined, file: string | undefined): Promise<Uint8Array | null> {
  if (typed !== undefined && file !== undefined)
    throw new OdoroboError("USAGE", "a body was given twice", { hint: "either after the path, or with --body FILE" });
  const words = file === undefined ? typed : file === "-" ? await text(process.stdin) : await read(file);
  if (words === undefined) return null;
  try {
    JSON.parse(words);
  } catch (cause) {
    throw new OdoroboError("USAGE", "the body is not JSON", { cause, hint: `such as '{"desired_vcpus": 2}'` });
  }
  return Buffer.from(words);
}

async function read(path: string): Promise<string> {
  try {
    return await readFile(path, "utf8");
  } catch (cause) {
    throw new OdoroboError("USAGE", `cannot read ${path}`, { cause });
  }
}
