/** The files that a gateway's file names: can they be read, and only by whom they should? */
import { access, constants, stat } from "node:fs/promises";
import { resolve } from "node:path";
import type { GatewayFinding } from "../../../manifest/gateway/gateway-finding.ts";
import type { Segments } from "../../../manifest/text/places.ts";
import { isErrno } from "../../../model/errors.ts";

type Finding = GatewayFinding & { readonly at: Segments };

interface NamedFile {
  readonly at: Segments;
  readonly path: string;
  readonly isSecret: boolean;
}

/** By the names of their fields: what others may not read. */
const SECRETS = new Set([
  "tokenFile",
  "accessFile",
  "keyFile",
  "sshKeyFile",
  "hookSecretFile",
  "urlFile",
  "clientSecretFile",
]);

/** `written`: as read from YAML; other mistakes in it are somebody else's to find. */
export async function checkNamedFiles(written: unknown, base: string): Promise<readonly Finding[]> {
  const named = [...filesIn(written, [])].map((each) => ({ ...each, path: resolve(base, each.path) }));
  const findings = await Promise.all(named.map(checkOne));
  return findings.flatMap((finding) => (finding === null ? [] : [finding]));
}

/** Each text whose field is called `…File`, wherever it stands, and `requireSigned`. */
function* filesIn(value: unknown, at: Segments): Generator<NamedFile> {
  if (typeof value !== "object" || value === null) return;
  for (const [key, each] of Object.entries(value)) {
    const place = [...at, Array.isArray(value) ? Number(key) : key];
    const isFile = key.endsWith("File") || key === "requireSigned";
    if (typeof each === "string" && isFile) yield { at: place, path: each, isSecret: SECRETS.has(key) };
    else yield* filesIn(each, place);
  }
}

async function checkOne({ at, path, isSecret }: NamedFile): Promise<Finding | null> {
  try {
    const { mode, uid } = await stat(path).then((facts) => {
      if (!facts.isFile()) throw new Error("it is no file");
      return facts;
    });
    await access(path, constants.R_OK);
    if (!isSecret || (mode & 0o007) === 0) return null;
    return {
      at,
      code: "unsafe-file",
      message: `everybody on this machine may read ${path}`,
      hint: uid === process.getuid?.() ? `chmod 600 ${path}` : `chmod 640 ${path}, with the gateway's group`,
    };
  } catch (error) {
    const isMissing = isErrno(error, "ENOENT") || isErrno(error, "ENOTDIR");
    return {
      at,
      code: "file-not-found",
      message: isMissing ? `there is no file ${path}` : `${path} cannot be read`,
      hint: isMissing
        ? "relative paths are relative to this file"
        : "it must be a file that the user of the gateway may read",
    };
  }
}
