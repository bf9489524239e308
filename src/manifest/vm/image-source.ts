/** What an Image says of where it is → what nodes fetch. A mistake in it is told once, at the Image. */

import type { ImageSpec } from "../../model/documents.ts";
import {
  ARCHITECTURES,
  type Architecture,
  compressionOf,
  type ImageSource,
  type RemoteImage,
} from "../../model/remote-image.ts";
import type { ImageFormat } from "../../model/vm-spec.ts";
import type { DiagnosticCode } from "../text/diagnostic.ts";
import type { Segments } from "../text/places.ts";

type Fetched = Pick<ImageSpec, "source" | "sha256" | "sha512" | "checksums" | "compression">;

export type TellMistake = (
  at: Segments,
  mistake: { readonly code: DiagnosticCode; readonly message: string; readonly hint: string },
) => void;

const known = new WeakMap<ImageSpec, RemoteImage | null>();

/** Null: a file of the nodes, or it is not said well; `checkImageSpec` says why. The same object for the same spec. */
export function remoteOf(spec: ImageSpec): RemoteImage | null {
  const before = known.get(spec);
  if (before !== undefined) return before;
  const remote = buildRemote(spec, () => {});
  known.set(spec, remote);
  return remote;
}

/** By the ending only where endings are reliable: `.img` is qcow2 at some distributions and raw at others. */
export function formatOf(spec: ImageSpec): ImageFormat | null {
  if (spec.format) return spec.format;
  const formats = new Set(namesOf(spec).map(formatOfName));
  return formats.size === 1 ? ([...formats][0] ?? null) : null;
}

const formatOfName = (name: string): ImageFormat | null =>
  name.endsWith(".qcow2") ? "qcow2" : name.endsWith(".raw") ? "raw" : null;

/** Without what they are packed in. */
function namesOf({ path, source, architectures }: ImageSpec): readonly string[] {
  if (path !== undefined) return [path];
  const sources = [source, ...ARCHITECTURES.map((each) => architectures?.[each]?.source)];
  return sources.flatMap((each) => {
    const url = each === undefined ? undefined : listOf(each)[0];
    return url === undefined ? [] : [url.replace(/[?#].*$/, "").replace(/\.(gz|zst|xz|bz2)$/, "")];
  });
}

/** Tells all that is wrong with it. */
export function checkImageSpec(spec: ImageSpec, tell: TellMistake): void {
  const { path, source, architectures } = spec;
  const ways = [path, source, architectures].filter((way) => way !== undefined).length;
  if (ways === 0)
    tell([], {
      code: "missing-field",
      message: "where is it? neither path, source nor architectures is said",
      hint: "source: https://…, with its sha256, is fetched by the nodes; path: /… is a file that they have",
    });
  if (ways > 1)
    tell([path === undefined ? "architectures" : "path"], {
      code: "conflicting-fields",
      message: "it is said twice where it is",
      hint: "keep one of path, source and architectures",
    });
  const lone = (["sha256", "sha512", "checksums", "compression"] as const).find((field) => spec[field]);
  if (source === undefined && lone !== undefined)
    tell([lone], {
      code: "conflicting-fields",
      message: `${lone} says how a source is fetched, and there is none`,
      hint:
        architectures === undefined
          ? "source: file:///… fetches a file of the node"
          : "write it below each architecture",
    });
  if (ways !== 1) return;
  if (formatOf(spec) === null) {
    const at = path === undefined ? (source === undefined ? "architectures" : "source") : "path";
    const message =
      path === undefined
        ? "the name of the source does not say the format"
        : "the path's ending does not say the image's format";
    tell([at], { code: "missing-field", message, hint: "add format: qcow2 or raw" });
  }
  buildRemote(spec, tell);
}

function buildRemote(spec: ImageSpec, tell: TellMistake): RemoteImage | null {
  const { path, source, architectures } = spec;
  const format = formatOf(spec);
  if (path !== undefined) return null;
  const built =
    source === undefined
      ? ARCHITECTURES.flatMap((each) => {
          const fetched = architectures?.[each];
          return fetched === undefined ? [] : [buildSource(fetched, each, ["architectures", each], tell)];
        })
      : [buildSource(spec, null, [], tell)];
  const sources = built.filter((each) => each !== null);
  return format === null || sources.length === 0 || sources.length < built.length ? null : { format, sources };
}

function buildSource(
  fetched: Fetched,
  architecture: Architecture | null,
  at: Segments,
  tell: TellMistake,
): ImageSource | null {
  const { source = [], compression } = fetched;
  const urls = listOf(source);
  let isFine = true;
  for (const [index, url] of urls.entries()) {
    const problem = problemOf(url);
    if (problem === null) continue;
    isFine = false;
    tell([...at, "source", ...(typeof source === "string" ? [] : [index])], problem);
  }
  const checksum = checksumOf(fetched, urls, at, tell);
  const [first] = urls;
  if (!isFine || checksum === null || first === undefined) return null;
  return { architecture, urls, checksum, compression: compression ?? compressionOf(first) };
}

type Mistake = Parameters<TellMistake>[1];

/** Null: nodes can fetch it. */
function problemOf(url: string): Mistake | null {
  const bad = (message: string, hint: string): Mistake => ({ code: "bad-value", message, hint });
  if (url.startsWith("oci:"))
    return bad(
      "images in OCI registries cannot be fetched yet",
      "give the URL of a file that holds the image; or put it on the nodes, and say path",
    );
  if (!/^(https?|file):\/\//.test(url) || !URL.canParse(url) || url.length > LONGEST_URL)
    return bad("a source is a URL that nodes can fetch", "https://HOST/PATH, http://HOST/PATH or file:///PATH");
  const { protocol, username, password, host } = new URL(url);
  if (protocol === "file:" && host !== "")
    return bad(`file://${host}/ names a host, and a file is the node's own`, "write file:///PATH");
  if (username !== "" || password !== "")
    return bad(
      "the source has a name or password in it, and plans, logs and reports would show it",
      "give an address that needs none: a mirror of your own, or one that knows the nodes",
    );
  return null;
}

const LONGEST_URL = 2048;

function checksumOf(
  { sha256, sha512, checksums }: Fetched,
  urls: readonly string[],
  at: Segments,
  tell: TellMistake,
): ImageSource["checksum"] | null {
  const given = [sha256, sha512, checksums].filter((each) => each !== undefined).length;
  if (given > 1) {
    tell([...at, sha512 === undefined || checksums === undefined ? "sha256" : "checksums"], {
      code: "conflicting-fields",
      message: "more than one of sha256, sha512 and checksums is said",
      hint: "keep one of them",
    });
    return null;
  }
  if (sha512) return { algorithm: "sha512", digest: sha512.toLowerCase() };
  if (sha256) return { algorithm: "sha256", digest: sha256.toLowerCase() };
  if (checksums) return checksumsFileOf(checksums, urls, [...at, "checksums"], tell);
  tell([...at, "source"], {
    code: "missing-field",
    message: "what is fetched has no checksum, so nobody could tell whether it is the image",
    hint: "add sha256 or sha512, as the site that offers it tells; or checksums: { url: https://… }, its file of them",
  });
  return null;
}

function checksumsFileOf(
  { url, file }: NonNullable<ImageSpec["checksums"]>,
  urls: readonly string[],
  at: Segments,
  tell: TellMistake,
): ImageSource["checksum"] | null {
  const problem = problemOf(url);
  if (problem !== null) {
    tell([...at, "url"], problem);
    return null;
  }
  if (url.startsWith("http:")) {
    tell([...at, "url"], {
      code: "bad-value",
      message: "checksums that come over http may come from anybody",
      hint: "give https://, or the checksum itself: sha256 or sha512",
    });
    return null;
  }
  const name = file ?? lastPartOf(urls[0]);
  if (name !== "") return { url, file: name };
  tell(at, {
    code: "missing-field",
    message: "the source does not say what the image is called in the file of checksums",
    hint: "add file: the name that stands beside its checksum",
  });
  return null;
}

function lastPartOf(url = ""): string {
  if (!URL.canParse(url)) return "";
  const last = new URL(url).pathname.split("/").at(-1) ?? "";
  try {
    return decodeURIComponent(last);
  } catch {
    return last;
  }
}

const listOf = (source: string | readonly string[]): readonly string[] =>
  typeof source === "string" ? [source] : source;
