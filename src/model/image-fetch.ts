/** What agents are asked and say about the images of their cache. */
import type { ErrorBody } from "./errors.ts";
import type { CachedImage } from "./observed-state.ts";
import type { RemoteImage } from "./remote-image.ts";

export interface ImageFetchRequest {
  /** Another for each who wants to know how it ends; the same to ask again. */
  readonly id: string;
  /** As the manifest calls it. */
  readonly name: string;
  readonly remote: RemoteImage;
  /** `sha256:…` as a plan saw it: that one and no other. Null: what the source says now. */
  readonly digest: string | null;
}

/** How far it is. */
export interface ImageFetch {
  readonly state: CachedImage["state"] | "failed";
  readonly digest: string | null;
  /** Of the file as it is fetched. */
  readonly bytes: number;
  readonly totalBytes: number | null;
  readonly bytesPerSecond: number | null;
  /** It was there before anybody asked. */
  readonly noop: boolean;
  readonly error: ErrorBody | null;
}

/** One image of one node, with who stands on it. */
export interface NodeImage extends CachedImage {
  /** How the node's cache calls it. */
  readonly key: string;
  readonly url: string;
  /** How large it is for a guest; null: it is not there yet. */
  readonly virtualBytes: number | null;
  readonly fetchedAt: string | null;
  /** Disks that read from it: `web-1/root`, kept ones of deleted VMs among them. Sorted. */
  readonly users: readonly string[];
}

export interface PruneRequest {
  /** Only these, whatever their age; null: all that nobody stands on. */
  readonly digests: readonly string[] | null;
  /** Fetched within this time: somebody may be about to use it. */
  readonly youngerThanSeconds: number;
  readonly dryRun: boolean;
}

export interface Pruned {
  readonly removed: readonly { readonly name: string; readonly digest: string; readonly bytes: number }[];
  readonly kept: readonly { readonly name: string; readonly digest: string; readonly why: string }[];
}
