/** Cloud-init texts, inline or in files beside the manifests. Specs hold their digests, because they may hold secrets. */
import { digestOfText } from "../../model/digest.ts";
import type { Digest } from "../../model/names.ts";
import type { Finding, ManifestText } from "../text/source-document.ts";

export class UserTexts {
  readonly #files: ReadonlyMap<string, string>;
  readonly #byDigest = new Map<Digest, string>();
  /** Thousands of VMs share few texts. */
  readonly #digests = new Map<string, Digest>();
  readonly #referred = new Set<string>();
  readonly #paths = new Map<Digest, string>();

  constructor(texts: readonly ManifestText[]) {
    this.#files = new Map(texts.map(({ path, text }) => [path, text]));
  }

  /** The digest of a text, or of the file that a path names, seen from the manifest that says so. */
  digestOf(written: string, manifestPath: string): Digest | Finding {
    if (!isPath(written)) return isText(written) ? this.keep(written) : notText();
    const path = resolvePath(manifestPath, written);
    if (path === null) {
      const hint = "keep the file beside the manifests";
      return { code: "file-not-found", message: `${shownPath(written)} leads out of the manifests' folder`, hint };
    }
    const text = this.#files.get(path);
    this.#referred.add(path);
    if (text !== undefined) {
      const digest = this.keep(text);
      this.#paths.set(digest, path);
      return digest;
    }
    return {
      code: "file-not-found",
      message: `there is no file ${shownPath(path)}`,
      hint: "paths begin at this manifest's folder",
    };
  }

  text(digest: Digest): string | undefined {
    return this.#byDigest.get(digest);
  }

  /** A file that has this text; undefined: it stands in a manifest. */
  pathOf(digest: Digest): string | undefined {
    return this.#paths.get(digest);
  }

  /** Some manifest names this file: it is a text, not a manifest gone wrong. */
  isReferred(path: string): boolean {
    return this.#referred.has(path);
  }

  /** A text that was made of others, or is one itself. */
  keep(text: string): Digest {
    let digest = this.#digests.get(text);
    if (digest === undefined) {
      digest = digestOfText(text);
      this.#digests.set(text, digest);
      this.#byDigest.set(digest, text);
    }
    return digest;
  }
}

/** Of a file beside the manifest; everything else is the text itself. */
export const isPath = (written: string): boolean => /^\.{1,2}\//.test(written) && !written.trimEnd().includes("\n");

/** A path has no reason to look like a command line. */
const shownPath = (path: string): string => (/^[\w./+-]{1,200}$/.test(path.trim()) ? path.trim() : "with this path");

const isText = (written: string): boolean => written.includes("\n") || written.startsWith("#");

const notText = (): Finding => ({
  code: "bad-value",
  message: "this is neither a text for cloud-init nor the path of one",
  hint: "a path begins with ./ and a text with #cloud-config",
});

/** Null when it leads out of the root. */
function resolvePath(manifestPath: string, relative: string): string | null {
  const parts = manifestPath.split("/").slice(0, -1);
  for (const part of relative.trim().split("/")) {
    if (part === "" || part === ".") continue;
    if (part !== "..") parts.push(part);
    else if (parts.pop() === undefined) return null;
  }
  return parts.join("/");
}
