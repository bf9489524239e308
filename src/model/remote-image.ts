/** An image that nodes fetch: where it is, and by what its bytes are known. Pure. */
import { digestOf } from "./digest.ts";

export type ImageFormat = "qcow2" | "raw";

/** As nodes call themselves, and kernels call them. */
export const ARCHITECTURES = ["x86_64", "aarch64"] as const;
export type Architecture = (typeof ARCHITECTURES)[number];

export const COMPRESSIONS = ["none", "gz", "zst", "xz", "bz2"] as const;
export type Compression = (typeof COMPRESSIONS)[number];

export interface RemoteImage {
  /** What it is, once it is decompressed. On the node it is kept as raw bytes, whatever it came as. */
  readonly format: ImageFormat;
  /** For any node, or one for each architecture. */
  readonly sources: readonly ImageSource[];
}

export interface ImageSource {
  /** Null: any. */
  readonly architecture: Architecture | null;
  /** `https:`, `http:` or `file:`; the first that answers counts. */
  readonly urls: readonly string[];
  readonly checksum: ImageChecksum | ChecksumsFile;
  readonly compression: Compression;
}

/** Of the file as it is fetched. Lower case. */
export interface ImageChecksum {
  readonly algorithm: "sha256" | "sha512";
  readonly digest: string;
}

/** Which is read anew each time: what it says of `file` then is what counts. */
export interface ChecksumsFile {
  readonly url: string;
  readonly file: string;
}

export const isChecksumsFile = (checksum: ImageSource["checksum"]): checksum is ChecksumsFile => "url" in checksum;

/** What an image of this name says instead of a path: no file has it. */
export const remotePath = (image: string): string => `image:${image}`;

/** What a node of that architecture would fetch; null: there is nothing for it. */
export const sourceFor = ({ sources }: RemoteImage, architecture: Architecture): ImageSource | null =>
  sources.find((source) => source.architecture === architecture) ??
  sources.find((source) => source.architecture === null) ??
  null;

/** The same for two that would fetch the same in the same manner. */
export const remoteKey = (remote: RemoteImage): string => digestOf(remote);

/** `sha256-HEX`, and how it is unpacked where that is not plain: by this a node's cache knows it. Two of the same name are the same bytes. */
export function cacheKey(checksum: ImageChecksum, compression: Compression, format: ImageFormat): string {
  const packed = compression === "none" ? "" : `.${compression}`;
  return `${checksum.algorithm}-${checksum.digest}${packed}.${format}`;
}

/** By the ending of a URL's path. */
export function compressionOf(url: string): Compression {
  const path = url.replace(/[?#].*$/, "");
  return COMPRESSIONS.find((each) => each !== "none" && path.endsWith(`.${each}`)) ?? "none";
}
