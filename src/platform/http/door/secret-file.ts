/** A file of secrets that is read again when it changes, so that it is rotated without a restart; and that is not believed while others may read it. */
import { type FileHandle, open, stat } from "node:fs/promises";
import { OdoroboError } from "../../../model/errors.ts";

export interface SecretFile<Content> {
  /** What the file says now. Rejects with AGENT_INSECURE while the file cannot be trusted: then it lets nobody in. */
  read(): Promise<Content>;
}

/** Some tens of thousands of callers: what is larger is another file. */
const MAX_BYTES = 1024 * 1024;

/**
 * `what`: "the token file". `flag`: the one that names it. `parse` throws AGENT_INSECURE.
 * Rejects with AGENT_INSECURE when the file is missing, not as it should be, or readable by everybody.
 */
export async function openSecretFile<Content>(
  path: string,
  naming: { readonly what: string; readonly flag: string },
  parse: (text: string) => Content,
): Promise<SecretFile<Content>> {
  let seen: string | null = null;
  let content: { readonly value: Content } | { readonly error: unknown } = { error: null };
  const cannotRead = (cause: unknown) =>
    new OdoroboError("AGENT_INSECURE", `cannot read ${naming.what} ${path}`, {
      cause,
      hint: `${naming.flag} names it; the agent's user must be able to read it, and nobody else`,
    });

  const read = async () => {
    const now = versionOf(await stat(path, { bigint: true }).catch(rethrow(cannotRead)));
    if (now !== seen) {
      await using file = await open(path, "r").catch(rethrow(cannotRead));
      const facts = await file.stat({ bigint: true });
      try {
        refuseReadable(facts.mode, path, naming.what);
        content = { value: parse(await readAll(file, facts.size, path, naming.what).catch(rethrow(cannotRead))) };
      } catch (error) {
        content = { error };
      }
      seen = versionOf(facts);
    }
    if ("error" in content) throw content.error;
    return content.value;
  };
  await read();
  return { read };
}

interface Version {
  readonly dev: bigint;
  readonly ino: bigint;
  readonly size: bigint;
  readonly mtimeNs: bigint;
  /** Also moves with mode and owner. */
  readonly ctimeNs: bigint;
}

const versionOf = ({ dev, ino, size, mtimeNs, ctimeNs }: Version): string =>
  [dev, ino, size, mtimeNs, ctimeNs].join(" ");

function refuseReadable(mode: bigint, path: string, what: string): void {
  if ((mode & 0o007n) === 0n) return;
  throw new OdoroboError("AGENT_INSECURE", `everybody on this machine may read ${what} ${path}`, {
    hint: `chmod 600 ${path}`,
  });
}

async function readAll(file: FileHandle, size: bigint, path: string, what: string): Promise<string> {
  if (size <= MAX_BYTES) return await file.readFile("utf8");
  throw new OdoroboError("AGENT_INSECURE", `${what} ${path} is larger than ${MAX_BYTES >> 20} MiB`, {
    hint: "is it another file?",
  });
}

const rethrow =
  (wrap: (cause: unknown) => OdoroboError) =>
  (cause: unknown): never => {
    throw cause instanceof OdoroboError ? cause : wrap(cause);
  };
