/**
 * What was parsed once, on disk: a file per fleet, loaded and written as a whole.
 *
 * Invariants: what is not exactly what we wrote, in this version, is as good as not there; two processes at once each write
 * a whole file, and the later one stays; what this run did not ask for is dropped.
 */
import { hash, randomUUID } from "node:crypto";
import { mkdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { PARSE_FORMAT, type ParseCache, type ParsedFile } from "../manifest/parsed-file.ts";
import { cacheFolder } from "./cache-folder.ts";

export interface ParseCacheFile extends ParseCache {
  /** Writes what this run asked for, if it is not what was there. Never fails: without a cache everything still works. */
  save(): Promise<void>;
}

/** `key`: what tells fleets apart, such as the source's description. */
export async function openParseCache(key: string, version: string, folder = cacheFolder()): Promise<ParseCacheFile> {
  const path = join(folder, "parsed", `${hash("sha256", key, "hex").slice(0, 32)}.json`);
  const header = `odorobo parse cache ${PARSE_FORMAT} ${version}`;
  const known = await load(path, header);
  const used = new Map<string, ParsedFile>();
  return {
    get(contentDigest) {
      const file = known.get(contentDigest);
      if (file !== undefined) used.set(contentDigest, file);
      return file ?? used.get(contentDigest);
    },
    set: (contentDigest, file) => void used.set(contentDigest, file),
    async save() {
      const isSame = used.size === known.size && [...used.keys()].every((each) => known.has(each));
      if (!isSame) await store(path, header, used);
    },
  };
}

async function load(path: string, header: string): Promise<ReadonlyMap<string, ParsedFile>> {
  try {
    const content = await readFile(path, "utf8");
    const headerEnd = content.indexOf("\n");
    const bodyStart = content.indexOf("\n", headerEnd + 1) + 1;
    const body = content.slice(bodyStart);
    const isWhole = content.slice(headerEnd + 1, bodyStart - 1) === checksum(body);
    if (content.slice(0, headerEnd) !== header || !isWhole) return new Map();
    return new Map(JSON.parse(body) as [string, ParsedFile][]);
  } catch {
    // Missing, unreadable or not ours: everything is parsed again.
    return new Map();
  }
}

/** Mode 600: manifests may hold cloud-init texts. Not synced: after a power cut the checksum tells, and nothing is lost. */
async function store(path: string, header: string, files: ReadonlyMap<string, ParsedFile>): Promise<void> {
  const temporary = `${path}.${process.pid}-${randomUUID()}.tmp`;
  try {
    const body = JSON.stringify([...files]);
    await mkdir(join(path, ".."), { recursive: true, mode: 0o700 });
    await writeFile(temporary, `${header}\n${checksum(body)}\n${body}`, { mode: 0o600 });
    await rename(temporary, path);
  } catch {
    await rm(temporary, { force: true }).catch(() => {});
  }
}

const checksum = (body: string): string => hash("sha256", body, "hex");
