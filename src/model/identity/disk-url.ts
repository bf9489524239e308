/**
 * Where an external disk is: read from its URL in one way, for checks, for the diff and for every driver. Pure.
 *
 *   file:///PATH · nbd://HOST[:PORT]/EXPORT · nbd+unix:///EXPORT?socket=PATH · rbd://POOL[/NAMESPACE]/IMAGE[@SNAPSHOT] ·
 *   iscsi://HOST[:PORT]/TARGET[/LUN]
 *
 * `%` begins a byte, in all of them and nowhere else: a file called `50%` is written `50%25`. A `#` is part of a name, in a
 * file's `?` too: disks have neither fragments nor, but for the socket, options, and what is meant as one must not be dropped.
 */
import { normalPath } from "./path.ts";

export type DiskPlace =
  | { readonly kind: "file"; readonly path: string }
  | { readonly kind: "nbd"; readonly host: string; readonly port: number; readonly name: string }
  | { readonly kind: "nbd+unix"; readonly socket: string; readonly name: string }
  | {
      readonly kind: "rbd";
      readonly pool: string;
      readonly namespace: string | null;
      readonly image: string;
      readonly snapshot: string | null;
    }
  | {
      readonly kind: "iscsi";
      readonly host: string;
      readonly port: number;
      readonly target: string;
      readonly lun: number;
    };

export interface UrlProblem {
  readonly kind: "problem";
  readonly message: string;
  readonly hint: string;
}

/** As IANA has them. */
const NBD_PORT = 10_809;
const ISCSI_PORT = 3260;

/** `NBD://…` → `nbd`: what capabilities name `diskKinds` by. */
export const schemeOf = (text: string): string => /^[a-z][a-z0-9+.-]*(?=:)/i.exec(text)?.[0].toLowerCase() ?? "";

/** An absolute path alone is a file's. */
export function parseDiskUrl(text: string): DiskPlace | UrlProblem {
  if (text.startsWith("/")) return fileAt(text);
  const scheme = schemeOf(text);
  const rest = text.slice(scheme.length + 1);
  if (/\p{Cc}/u.test(text))
    return problem("has control characters in it", "write them as %0A and the like, if they are meant");
  if (scheme === "file") return parseFile(rest);
  if (!rest.startsWith("//")) return problem("is no URL of a disk", FORMS);
  const [, authority = "", tail = ""] = /^\/\/([^/?]*)(.*)$/s.exec(rest) ?? [];
  if (authority.includes("@")) return problem("has a name or password in it", "give the host alone");
  const [path = "", query] = splitOnce(tail, "?");
  if (query !== undefined && scheme !== "nbd+unix")
    return problem("has options behind its ?, and none are passed on", "leave them out; a ? in a name is %3F");
  const segments = path.split("/").filter((part) => part !== "");
  switch (scheme) {
    case "nbd":
      return parseNbd(authority, segments);
    case "nbd+unix":
      return parseNbdUnix(authority, segments, query ?? "");
    case "rbd":
      return parseRbd(authority, segments);
    case "iscsi":
      return parseIscsi(authority, segments);
    default:
      return problem("is no URL of a disk", FORMS);
  }
}

const FORMS = "give file:///PATH, nbd://HOST[:PORT]/EXPORT, rbd://POOL/IMAGE or iscsi://HOST[:PORT]/TARGET/LUN";

function parseFile(rest: string): DiskPlace | UrlProblem {
  const [, path] = (rest.startsWith("//") ? /^\/\/(?:localhost)?(\/.*)$/is : /^(\/.*)$/s).exec(rest) ?? [];
  if (path === undefined) return problem("names no absolute path", "write file:///PATH");
  const decoded = decode(path);
  return typeof decoded === "string" ? fileAt(decoded) : decoded;
}

function fileAt(path: string): DiskPlace | UrlProblem {
  if (path.includes("\0")) return problem("has a zero byte in it", "no file can be called so");
  const normal = normalPath(path);
  return normal === "/" ? problem("names no file", "write file:///PATH") : { kind: "file", path: normal };
}

function parseNbd(authority: string, segments: readonly string[]): DiskPlace | UrlProblem {
  const server = parseServer(authority, NBD_PORT);
  if ("kind" in server) return server;
  const names = decodeAll(segments);
  if ("kind" in names) return names;
  const [name = "", ...more] = names;
  return more.length === 0 ? { kind: "nbd", ...server, name } : tooMany("nbd://HOST[:PORT]/EXPORT");
}

function parseNbdUnix(authority: string, segments: readonly string[], query: string): DiskPlace | UrlProblem {
  const form = "nbd+unix:///EXPORT?socket=PATH";
  if (authority !== "") return problem("has a host, and a socket is on none", `write ${form}`);
  const names = decodeAll(segments);
  if ("kind" in names) return names;
  const [name = "", ...more] = names;
  if (more.length > 0) return tooMany(form);
  let socket: string | null = null;
  for (const part of query.split("&")) {
    const [key, value = ""] = splitOnce(part, "=");
    if (key !== "socket" || socket !== null)
      return problem("has something else than one socket behind its ?", `write ${form}`);
    const decoded = decode(value);
    if (typeof decoded !== "string") return decoded;
    socket = decoded;
  }
  if (!socket?.startsWith("/") || socket.includes("\0"))
    return problem("names no absolute path of a socket", `write ${form}`);
  return { kind: "nbd+unix", socket: normalPath(socket), name };
}

function parseRbd(authority: string, segments: readonly string[]): DiskPlace | UrlProblem {
  const form = "rbd://POOL[/NAMESPACE]/IMAGE[@SNAPSHOT]";
  const last = segments.at(-1) ?? "";
  // A written % cannot be meant as this mark.
  const at = last.lastIndexOf("@");
  const [image, snapshot] = at < 0 ? [last, null] : [last.slice(0, at), last.slice(at + 1)];
  const names = decodeAll([authority, ...segments.slice(0, -1), image, ...(snapshot === null ? [] : [snapshot])]);
  if ("kind" in names) return names;
  if (segments.length === 0 || segments.length > 2 || names.includes(""))
    return problem("names no image of a pool", `write ${form}`);
  const namespace = segments.length === 2 ? (names[1] as string) : null;
  return {
    kind: "rbd",
    pool: names[0] as string,
    namespace,
    image: names[segments.length] as string,
    snapshot: names[segments.length + 1] ?? null,
  };
}

function parseIscsi(authority: string, segments: readonly string[]): DiskPlace | UrlProblem {
  const form = "iscsi://HOST[:PORT]/TARGET[/LUN]";
  const server = parseServer(authority, ISCSI_PORT);
  if ("kind" in server) return server;
  const names = decodeAll(segments);
  if ("kind" in names) return names;
  const [target, lun = "0", ...more] = names;
  if (target === undefined || more.length > 0) return problem("names no target", `write ${form}`);
  if (!/^\d{1,5}$/.test(lun)) return problem(`has ${lun} for the number of a LUN`, `write ${form}`);
  return { kind: "iscsi", ...server, target, lun: Number(lun) };
}

function parseServer(authority: string, defaultPort: number): { host: string; port: number } | UrlProblem {
  const [, host = "", port = ""] = /^(\[[^\]]*\]|[^:]*)(?::(\d*))?$/.exec(authority) ?? [];
  const number = port === "" ? defaultPort : Number(port);
  const canonical = host === "" ? null : canonicalHost(host);
  if (canonical === null) return problem("names no host", "an IPv6 address stands in [ ]");
  if (number < 1 || number > 65_535) return problem(`has no port ${port}`, "1 to 65535");
  return { host: canonical, port: number };
}

/** In any spelling that a resolver takes (`127.1`, `[::ffff:10.0.0.1]`, `HOST.`) one and the same. IPv6 without its brackets. */
function canonicalHost(text: string): string | null {
  const url = `http://${text}/`;
  if (!URL.canParse(url)) return null;
  const host = new URL(url).hostname.replace(/^\[|\]$/g, "").replace(/\.$/, "");
  const [, high, low] = /^::ffff:([0-9a-f]+):([0-9a-f]+)$/.exec(host) ?? [];
  if (high === undefined || low === undefined) return host;
  const parts = [high, low].map((part) => Number.parseInt(part, 16)).flatMap((part) => [part >> 8, part & 255]);
  return parts.join(".");
}

function decode(text: string): string | UrlProblem {
  try {
    const decoded = decodeURIComponent(text);
    return decoded.includes("\0") ? problem("has a zero byte in it", "nothing can be called so") : decoded;
  } catch {
    return problem("has a % that is followed by no byte of a text", "a % of a name is written %25");
  }
}

function decodeAll(segments: readonly string[]): readonly string[] | UrlProblem {
  const decoded: string[] = [];
  for (const segment of segments) {
    const text = decode(segment);
    if (typeof text !== "string") return text;
    decoded.push(text);
  }
  return decoded;
}

function splitOnce(text: string, mark: string): readonly [string, string | undefined] {
  const at = text.indexOf(mark);
  return at < 0 ? [text, undefined] : [text.slice(0, at), text.slice(at + 1)];
}

const tooMany = (form: string): UrlProblem => problem("has too many parts", `write ${form}; a / in a name is %2F`);

const problem = (message: string, hint: string): UrlProblem => ({ kind: "problem", message, hint });

/** The one spelling of each disk, by which two are known to be the same. What cannot be read stands for itself. */
export function canonicalDiskUrl(text: string): string {
  const place = parseDiskUrl(text);
  return place.kind === "problem" ? text : toDiskUrl(place);
}

function toDiskUrl(place: DiskPlace): string {
  switch (place.kind) {
    case "file":
      return `file://${encodePath(place.path)}`;
    case "nbd":
      return `nbd://${authorityOf(place)}/${encodeURIComponent(place.name)}`;
    case "nbd+unix":
      return `nbd+unix:///${encodeURIComponent(place.name)}?socket=${encodePath(place.socket)}`;
    case "rbd": {
      const names = [place.pool, ...(place.namespace === null ? [] : [place.namespace]), place.image];
      const snapshot = place.snapshot === null ? "" : `@${encodeURIComponent(place.snapshot)}`;
      return `rbd://${names.map(encodeURIComponent).join("/")}${snapshot}`;
    }
    case "iscsi":
      // RFC 3722: names of targets are the same in either case.
      return `iscsi://${authorityOf(place)}/${encodeURIComponent(place.target.toLowerCase())}/${place.lun}`;
  }
}

/** Where a socket's own `host` is `localhost`, it is this one: what else it may resolve to is the same machine. */
const authorityOf = ({ host, port }: { readonly host: string; readonly port: number }): string => {
  const name = host === "localhost" ? "127.0.0.1" : host;
  return `${name.includes(":") ? `[${name}]` : name}:${port}`;
};

const encodePath = (path: string): string => path.split("/").map(encodeURIComponent).join("/");

/** A path as a URL that people can read: only what would be read otherwise is written otherwise. */
export const fileUrl = (path: string): string => `file://${path.replace(/[%\p{Cc}]/gu, encodeURIComponent)}`;

/** The file or device that it is; null: it is elsewhere, or cannot be read. */
export function filePath(text: string): string | null {
  const place = parseDiskUrl(text);
  return place.kind === "file" ? place.path : null;
}
