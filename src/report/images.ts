/** The images that nodes have fetched, as `image list`, `info`, `pull` and `prune` tell of them (`schemas/image-list.schema.json` and its kin). */
import type { NodeImage, Pruned } from "../model/image-fetch.ts";
import { byName, type NodeName } from "../model/names.ts";
import type { SilentNode } from "./lists.ts";
import type { Paint } from "./words/paint.ts";
import { safeLine } from "./words/safe-text.ts";
import { type Column, renderTable, type TableOptions } from "./words/table.ts";
import { showRoughMiB } from "./words/values.ts";

export interface ImageOfNode extends NodeImage {
  readonly node: NodeName;
}

export interface ImageList {
  readonly kind: "ImageList";
  readonly version: 1;
  /** Sorted by name, then node. */
  readonly images: readonly ImageOfNode[];
  /** Nodes that did not answer, or do not say: what they have is not in the list. */
  readonly silent: readonly SilentNode[];
}

export interface ImagePull {
  readonly kind: "ImagePull";
  readonly version: 1;
  readonly image: string;
  /** Sorted by node. */
  readonly nodes: readonly {
    readonly node: NodeName;
    readonly outcome: "fetched" | "there" | "failed";
    readonly digest: string | null;
    readonly bytes: number | null;
    readonly error: { readonly code: string; readonly message: string; readonly hint?: string } | null;
  }[];
}

export interface ImagePrune {
  readonly kind: "ImagePrune";
  readonly version: 1;
  /** Nothing was removed: it is only said what would be. */
  readonly dryRun: boolean;
  readonly nodes: readonly (Pruned & { readonly node: NodeName })[];
  readonly silent: readonly SilentNode[];
}

export const sortImages = (images: readonly ImageOfNode[]): readonly ImageOfNode[] =>
  [...images].sort((a, b) => byName(a.name, b.name) || byName(a.node, b.node) || byName(a.key, b.key));

const mib = (bytes: number): string => showRoughMiB(Math.ceil(bytes / 1024 ** 2));

/** `sha256:0123456789ab`: as much as tells it from others. */
export const shortDigest = (digest: string): string => digest.replace(/^(sha\d+:[0-9a-f]{12}).*$/, "$1");

const COLUMNS: readonly Column<ImageOfNode>[] = [
  { title: "IMAGE", show: ({ name }) => safeLine(name) },
  { title: "NODE", show: ({ node }) => safeLine(node) },
  { title: "STATE", show: describeState },
  { title: "STORED", show: ({ bytes, state }) => (state === "ready" ? mib(bytes) : "") },
  { title: "DISKS", show: ({ users }) => String(users.length) },
  { title: "DIGEST", show: ({ digest }) => shortDigest(digest) },
];

function describeState({ state, bytes, totalBytes }: NodeImage): string {
  if (state !== "fetching") return state;
  return totalBytes === null || totalBytes === 0
    ? `fetching, ${mib(bytes)}`
    : `fetching, ${Math.floor((100 * bytes) / totalBytes)} %`;
}

export const renderImages = (images: readonly ImageOfNode[], options: TableOptions): string =>
  images.length === 0 ? "No node has fetched an image." : renderTable(COLUMNS, images, options);

export function renderImageInfo(images: readonly ImageOfNode[], paint: Paint): string {
  return images
    .map((image) =>
      [
        `${paint("bold", safeLine(image.name))} on ${safeLine(image.node)}: ${describeState(image)}`,
        `  digest   ${image.digest}`,
        ...(image.url === "" ? [] : [`  from     ${safeLine(image.url)}`]),
        ...(image.fetchedAt === null ? [] : [`  fetched  ${image.fetchedAt}, ${mib(image.totalBytes ?? 0)}`]),
        ...(image.virtualBytes === null
          ? []
          : [`  size     ${mib(image.virtualBytes)} for a guest, ${mib(image.bytes)} stored`]),
        `  below    ${image.users.length === 0 ? "no disk" : image.users.map(safeLine).join(", ")}`,
      ].join("\n"),
    )
    .join("\n\n");
}

export const renderPull = ({ image, nodes }: ImagePull, paint: Paint): string =>
  nodes
    .map(({ node, outcome, digest, bytes, error }) => {
      const where = `${safeLine(image)} on ${safeLine(node)}`;
      if (error !== null) return `${paint("red", "failed ")} ${where}: ${safeLine(error.message)} (${error.code})`;
      const what = digest === null ? "" : ` (${bytes === null ? "" : `${mib(bytes)}, `}${shortDigest(digest)})`;
      return `${paint("green", outcome === "there" ? "there  " : "fetched")} ${where}${what}`;
    })
    .join("\n");

export function renderPruned({ nodes, dryRun }: Pick<ImagePrune, "nodes" | "dryRun">): string {
  const lines = nodes.flatMap(({ node, removed, kept }) => [
    ...removed.map(
      (each) =>
        `${dryRun ? "would remove" : "removed"} ${safeLine(each.name)} on ${safeLine(node)} (${mib(each.bytes)}, ${shortDigest(each.digest)})`,
    ),
    ...kept.map((each) => `kept ${safeLine(each.name)} on ${safeLine(node)}: ${safeLine(each.why)}`),
  ]);
  return lines.length === 0 ? "No node has fetched an image." : lines.join("\n");
}
