/**
 * The page's own files, as `npm run build` made them: read once, sent as they lie there, zipped ahead. They hold no data, so everybody may
 * have them.
 */
import { createHash } from "node:crypto";
import { readdir, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { isErrno } from "../../../model/errors.ts";
import { PACKAGE_ROOT } from "../../../platform/package-root.ts";
import { PAGE_ANSWER } from "./headers.ts";

/** Where `npm run build` puts it. */
export const PAGE_FOLDER = fileURLToPath(new URL("dist/page/", PACKAGE_ROOT));

const TYPES: Readonly<Record<string, string>> = {
  html: "text/html; charset=utf-8",
  js: "text/javascript; charset=utf-8",
  css: "text/css; charset=utf-8",
  svg: "image/svg+xml",
  png: "image/png",
  ico: "image/x-icon",
  txt: "text/plain; charset=utf-8",
  woff2: "font/woff2",
};
/** In the order of preference: the endings of files that lie beside, and what HTTP calls them. */
const ENCODINGS = [
  ["br", "br"],
  ["gz", "gzip"],
] as const;
/** A name that changes with what is in it: it need not be asked for again. */
const HASHED = /-[\w-]{6,}\.\w+$/;

interface PageFile {
  readonly type: string;
  readonly tag: string;
  readonly isHashed: boolean;
  readonly bodies: ReadonlyMap<"br" | "gzip" | "identity", Buffer<ArrayBuffer>>;
}

export class PageFiles {
  readonly #folder: string;
  #files: ReadonlyMap<string, PageFile> = new Map();
  /** Of the file that names the others: with another one they are read again. */
  #version = "";

  constructor(folder = PAGE_FOLDER) {
    this.#folder = folder;
  }

  static isWanted(path: string): boolean {
    return path === "/" || path === "/favicon.ico" || path.startsWith("/assets/");
  }

  /** Of a look at such a path. */
  async answer(request: Request): Promise<Response> {
    const { pathname } = new URL(request.url);
    if (pathname === "/") await this.#read();
    if (this.#version === "") await this.#read();
    const name = pathname === "/" ? "index.html" : pathname.slice(1);
    const file = this.#files.get(name);
    if (file !== undefined) return send(file, request);
    if (pathname === "/" && this.#version === "") return words(503, NOT_BUILT);
    return words(404, "there is no such file");
  }

  async #read(): Promise<void> {
    const version = await versionOf(join(this.#folder, "index.html"));
    if (version === this.#version) return;
    this.#files = version === "" ? new Map() : await readAll(this.#folder);
    this.#version = version;
  }
}

const NOT_BUILT = [
  "The page of this gateway is not here: it was not built.",
  "",
  "From a checkout:   npm ci && npm run build     then load this page again.",
  "Installed:         the package is damaged; install it again.",
  "",
  "Without it: odorobo gateway status, odorobo runs list --gateway URL, and the API at /v1/ (docs/gateway.md).",
].join("\n");

function send({ type, tag, isHashed, bodies }: PageFile, request: Request): Response {
  const accepted = acceptedIn(request.headers.get("accept-encoding"));
  const encoding =
    ENCODINGS.map(([, name]) => name).find((name) => bodies.has(name) && accepted.has(name)) ?? "identity";
  // Each way of packing is a thing of its own.
  const etag = `"${tag}-${encoding}"`;
  const headers: Record<string, string> = {
    ...PAGE_ANSWER,
    etag,
    vary: "accept-encoding",
    "cache-control": isHashed ? "public, max-age=31536000, immutable" : "no-cache",
  };
  const known = (request.headers.get("if-none-match") ?? "").split(",").map((each) => each.trim().replace(/^W\//, ""));
  if (known.includes(etag)) return new Response(null, { status: 304, headers });
  const body = bodies.get(encoding) as Buffer<ArrayBuffer>;
  return new Response(body, {
    headers: {
      ...headers,
      "content-type": type,
      "content-length": String(body.length),
      ...(encoding === "identity" ? {} : { "content-encoding": encoding }),
    },
  });
}

/** `gzip;q=0` is none. */
function acceptedIn(header: string | null): ReadonlySet<string> {
  const accepted = new Set<string>();
  for (const part of (header ?? "").split(",")) {
    const [name = "", ...settings] = part.split(";").map((each) => each.trim().toLowerCase());
    if (!settings.some((each) => /^q=0(\.0*)?$/.test(each))) accepted.add(name);
  }
  return accepted;
}

export function words(status: number, text: string): Response {
  const body = Buffer.from(`${text}\n`);
  return new Response(body, {
    status,
    headers: {
      "content-type": "text/plain; charset=utf-8",
      "content-length": String(body.length),
      "cache-control": "no-store",
    },
  });
}

/** Empty: it is not there. */
async function versionOf(path: string): Promise<string> {
  try {
    const { mtimeNs, size, ino } = await stat(path, { bigint: true });
    return `${mtimeNs} ${size} ${ino}`;
  } catch (error) {
    if (isErrno(error, "ENOENT") || isErrno(error, "ENOTDIR")) return "";
    throw error;
  }
}

async function readAll(folder: string): Promise<ReadonlyMap<string, PageFile>> {
  const names = (await readdir(folder, { recursive: true, withFileTypes: true }))
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(folder.replace(/\/+$/, "").length + 1));
  const files = new Map<string, PageFile>();
  for (const name of names) {
    const type = TYPES[/\.(\w+)$/.exec(name)?.[1] ?? ""];
    if (type === undefined) continue;
    const plain = await readFile(join(folder, name));
    const bodies = new Map<"br" | "gzip" | "identity", Buffer<ArrayBuffer>>([["identity", plain]]);
    for (const [ending, encoding] of ENCODINGS)
      if (names.includes(`${name}.${ending}`)) bodies.set(encoding, await readFile(join(folder, `${name}.${ending}`)));
    const tag = createHash("sha256").update(plain).digest("base64url").slice(0, 16);
    files.set(name, { type, tag, isHashed: HASHED.test(name), bodies });
  }
  return files;
}
