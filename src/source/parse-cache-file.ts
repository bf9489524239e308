/** What the yaml library parsed once, on disk: a file per fleet, loaded and written as a whole. What this run did not ask for is dropped. */
import { hash } from "node:crypto";
import { join } from "node:path";
import { PARSE_FORMAT, type ParseCache, type ParsedFile } from "../manifest/text/parsed-file.ts";
import { cacheFolder } from "../platform/cache-folder.ts";
import { readKept, writeKept } from "../platform/kept-file.ts";

export interface ParseCacheFile extends ParseCache {
  /** Writes what this run asked for, if it is not what was there. Never fails: without a cache everything still works. */
  save(): Promise<void>;
}

/** `key`: what tells fleets apart, such as the source's description. `version`: of the code that parses. */
export function openParseCache(key: string, version: string, folder = cacheFolder()): ParseCacheFile {
  const path = join(folder, "parsed", `${hash("sha256", key, "hex").slice(0, 32)}.jsonl`);
  const header = `odorobo parse cache ${PARSE_FORMAT} ${version}`;
  const known = new Map<string, ParsedFile>();
  const isOurs = readKept(path, header, (text) => {
    const [digest, file] = JSON.parse(text()) as [string, ParsedFile];
    known.set(digest, file);
  });
  if (!isOurs) known.clear();
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
      if (!isSame)
        await writeKept(
          path,
          header,
          [...used].map((entry) => JSON.stringify(entry)),
        );
    },
  };
}
