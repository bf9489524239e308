/**
 * Where an agent keeps images: by what their bytes are, one folder each.
 *
 *   images/sha256-HEX.qcow2/image.raw    the bytes, read-only
 *   images/sha256-HEX.qcow2/about.json   what it is
 *   images/.new-sha256-HEX.qcow2/        one that is on its way; renamed when it is whole
 *   images/.old-…                        one that goes
 *   images/names.json                    what each manifest's image was last
 *
 * Invariant: what lies below a name without a dot in front is whole and was verified. A crash at any moment leaves it so.
 */
import { readdir, readFile, rename, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { isErrno } from "../../model/errors.ts";
import { byName, type Instant } from "../../model/names.ts";
import { syncFolder, writeFileAtomically } from "../../platform/atomic-write.ts";
import { makeFolders } from "../../platform/make-folders.ts";

export interface AboutImage {
  /** By which manifests called it when it was fetched. */
  readonly name: string;
  /** Where it came from. */
  readonly url: string;
  /** As it was fetched. */
  readonly fetchedBytes: number;
  /** How large it is for a guest. */
  readonly virtualBytes: number;
  readonly fetchedAt: Instant;
  /** How fast it came; null: too fast to say. */
  readonly bytesPerSecond: number | null;
}

export interface KeptImage extends AboutImage {
  readonly key: string;
  readonly path: string;
  /** What it takes of the disk. */
  readonly storedBytes: number;
}

const KEY = /^sha(?:256|512)-[0-9a-f]{64,128}(?:\.(?:gz|zst|xz|bz2))?\.(?:qcow2|raw)$/;

export const isCacheKey = (text: string): boolean => KEY.test(text);

export class CacheFolder {
  readonly path: string;

  constructor(dataFolder: string) {
    this.path = join(dataFolder, "images");
  }

  fileOf = (key: string): string => join(this.path, key, "image.raw");
  folderOf = (key: string): string => join(this.path, key);
  newFolderOf = (key: string): string => join(this.path, `.new-${key}`);

  /** Before anything is asked for: what a crash left is removed, but for what came of a download that can go on. */
  async sweep(): Promise<void> {
    for (const name of await this.#names()) {
      if (name.startsWith(".old-") || name.endsWith(".tmp")) await this.#remove(name);
      if (!name.startsWith(".new-")) continue;
      const kept = await readdir(join(this.path, name)).catch((): string[] => []);
      const canGoOn = isCacheKey(name.slice(".new-".length)) && kept.includes("download.json");
      if (!canGoOn) await this.#remove(name);
      else
        for (const file of kept)
          if (file !== "download" && file !== "download.json") await rm(join(this.path, name, file), { force: true });
    }
  }

  async make(key: string): Promise<string> {
    const folder = this.newFolderOf(key);
    await makeFolders(folder);
    return folder;
  }

  /** What is in its new folder is whole: from now on it is there. */
  async publish(key: string, about: AboutImage): Promise<void> {
    const folder = this.newFolderOf(key);
    await writeFileAtomically(join(folder, "about.json"), `${JSON.stringify(about)}\n`, 0o444);
    await rename(folder, this.folderOf(key));
    await syncFolder(this.path);
  }

  /** Null: it is not there, or not as it was left. */
  async find(key: string): Promise<KeptImage | null> {
    try {
      const about = JSON.parse(await readFile(join(this.folderOf(key), "about.json"), "utf8")) as AboutImage;
      const path = this.fileOf(key);
      const { size, blocks } = await stat(path);
      return size === about.virtualBytes ? { ...about, key, path, storedBytes: blocks * 512 } : null;
    } catch (error) {
      if (isErrno(error, "ENOENT") || error instanceof SyntaxError) return null;
      throw error;
    }
  }

  /** Sorted by key. */
  async list(): Promise<readonly KeptImage[]> {
    const found = await Promise.all((await this.#names()).filter(isCacheKey).map((key) => this.find(key)));
    return found.filter((each) => each !== null);
  }

  /** Of downloads that have not ended, whether anybody is at them or not. */
  async unfinished(): Promise<readonly string[]> {
    return (await this.#names()).flatMap((name) => (name.startsWith(".new-") ? [name.slice(".new-".length)] : []));
  }

  /** It is away for everybody at once, and its bytes a moment later. */
  async remove(key: string): Promise<void> {
    const old = `.old-${key}`;
    await this.#remove(old);
    await rename(this.folderOf(key), join(this.path, old));
    await syncFolder(this.path);
    await this.#remove(old);
  }

  discard = (key: string): Promise<void> => this.#remove(`.new-${key}`);

  async readNames(): Promise<Record<string, string>> {
    const text = await readFile(join(this.path, "names.json"), "utf8").catch(() => "{}");
    try {
      const names = JSON.parse(text) as Record<string, unknown>;
      return Object.fromEntries(
        Object.entries(names).filter((entry): entry is [string, string] => isCacheKey(String(entry[1]))),
      );
    } catch {
      // It is only what was resolved last: it will be resolved again.
      return {};
    }
  }

  async writeNames(names: Readonly<Record<string, string>>): Promise<void> {
    await makeFolders(this.path);
    await writeFileAtomically(join(this.path, "names.json"), `${JSON.stringify(names)}\n`);
  }

  async #names(): Promise<readonly string[]> {
    try {
      return (await readdir(this.path)).sort(byName);
    } catch (error) {
      if (isErrno(error, "ENOENT")) return [];
      throw error;
    }
  }

  #remove(name: string): Promise<void> {
    return rm(join(this.path, name), { recursive: true, force: true });
  }
}
