/**
 * Where manifests come from: a folder, or a commit of a git repository. Read at once into texts, so that all that follows is pure.
 *
 *   folder, git → [source/] → Source.texts → manifest/
 */
import { isUtf8 } from "node:buffer";
import { hash } from "node:crypto";
import { isManifestPath } from "../manifest/read-manifests.ts";
import type { ManifestText } from "../manifest/text/source-document.ts";
import type { DesiredState } from "../model/desired-state.ts";
import { OdoroboError } from "../model/errors.ts";

export interface Source {
  /** For people: a folder, or repository and ref. Never holds credentials. */
  readonly description: string;
  /** The commit that the texts are, or, when `isDirty`, were before somebody edited them; null: no git. */
  readonly commit: string | null;
  /** A folder with changes that are not committed. */
  readonly isDirty: boolean;
  /** Manifests, and the files they refer to, sorted by path. */
  readonly texts: readonly ManifestText[];
}

/** A manifest of this size has some 100,000 lines. What is larger got into the folder by mistake, and is not read at all. */
export const MAX_FILE_BYTES = 4 * 1024 * 1024;

/** Dot files are other tools' (`.github`, `.git`); node_modules is full of YAML that is nobody's. */
export const isSkipped = (name: string): boolean => name.startsWith(".") || name === "node_modules";

/**
 * Line ends are LF whatever git made of them on this machine (`eol=crlf`, `core.autocrlf`): one commit is one fleet everywhere.
 * Rejects with SOURCE_UNREADABLE what is not the text that was meant.
 */
export function toText(path: string, bytes: Buffer, blobId: string | null = null): ManifestText {
  if (bytes.includes(0) || !isUtf8(bytes)) {
    const hint = isManifestPath(path)
      ? "manifests are UTF-8 text; give other files another ending than .yaml"
      : "cloud-init texts are UTF-8 text";
    throw new OdoroboError("SOURCE_UNREADABLE", `${path} is a binary file`, { hint });
  }
  const written = bytes.toString("utf8");
  if (LFS_POINTER.test(written))
    throw new OdoroboError("SOURCE_UNREADABLE", `${path} is a pointer of git LFS, not the file itself`, {
      hint: "keep texts in git itself: git lfs untrack, and commit the file again",
    });
  if (!written.includes("\r\n")) return { path, text: written, blobId: blobId ?? gitBlobId(bytes) };
  const text = written.replaceAll("\r\n", "\n");
  return { path, text, blobId: gitBlobId(Buffer.from(text)) };
}

/** The first line of a pointer, also as git LFS wrote it before its first release. */
const LFS_POINTER =
  /^version (https:\/\/git-lfs\.github\.com\/spec\/|https:\/\/hawser\.github\.com\/spec\/|http:\/\/git-media\.io\/v\/)/;

/** As git computes it, so that a folder and a repository share what is known about a file. */
export function gitBlobId(bytes: Uint8Array, algorithm: "sha1" | "sha256" = "sha1"): string {
  return hash(algorithm, Buffer.concat([Buffer.from(`blob ${bytes.length}\0`), bytes]), "hex");
}

export function tooLarge(path: string, bytes: number): OdoroboError {
  const mib = (size: number) => `${Math.ceil(size / 1024 / 1024)} MiB`;
  return new OdoroboError(
    "SOURCE_UNREADABLE",
    `${path} has ${mib(bytes)}, more than the ${mib(MAX_FILE_BYTES)} that are read`,
    {
      hint: "move it out of the folder of manifests, or split it",
    },
  );
}

/**
 * An empty source looks like a fleet whose VMs were all deleted, and is far more often a wrong path, branch or mount.
 * Called before reading with the texts alone, and after it with what they say.
 */
export function refuseEmpty(
  { description, texts }: Pick<Source, "description" | "texts">,
  desired?: DesiredState,
): void {
  if (!texts.some(({ path }) => isManifestPath(path)))
    throw new OdoroboError("SOURCE_EMPTY", `there are no manifests in ${description}`, {
      hint: "is it the right folder and branch? manifests end in .yaml or .yml; odorobo init writes the first ones",
    });
  if (desired !== undefined && desired.vms.length === 0)
    throw new OdoroboError("SOURCE_EMPTY", `the manifests in ${description} describe no VM`, {
      hint: "is it the right folder and branch? to remove every VM on purpose: odorobo destroy",
    });
}
