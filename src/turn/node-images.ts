/** The images of all nodes that answer: listed, fetched, pruned. */
import { isOdoroboError, OdoroboError, toErrorBody } from "../model/errors.ts";
import type { ImageFetch, PruneRequest } from "../model/image-fetch.ts";
import { byName, type NodeName } from "../model/names.ts";
import type { RemoteImage } from "../model/remote-image.ts";
import { mapWithLimit } from "../platform/limit.ts";
import { type ImageList, type ImageOfNode, type ImagePrune, type ImagePull, sortImages } from "../report/images.ts";
import type { SilentNode } from "../report/lists.ts";
import type { AgentClient } from "../wire/client.ts";
import type { Reached } from "./reach-nodes.ts";

/** Nodes that are asked at the same moment. */
const PARALLELISM = 64;

export async function listNodeImages(reached: Reached, signal: AbortSignal): Promise<ImageList> {
  const { answers, silent } = await askAll(reached, signal, (client) => client.images(signal));
  const images = answers.flatMap(({ node, answer }) => answer.map((image): ImageOfNode => ({ ...image, node })));
  return { kind: "ImageList", version: 1, images: sortImages(images), silent };
}

export async function pruneNodeImages(
  reached: Reached,
  request: PruneRequest,
  signal: AbortSignal,
): Promise<ImagePrune> {
  const { answers, silent } = await askAll(reached, signal, (client) => client.pruneImages(request, signal));
  const nodes = answers.map(({ node, answer }) => ({ node, ...answer }));
  return { kind: "ImagePrune", version: 1, dryRun: request.dryRun, nodes, silent };
}

/** As the fleet's VMs have it. Throws NOT_FOUND. */
export function remoteNamed(reached: Reached, name: string): RemoteImage {
  const specs = [
    ...(reached.fleet?.desired.vms ?? []),
    ...reached.observed.nodes.flatMap((node) => (node.reach === "answered" ? node.report.vms : [])),
  ];
  for (const { spec } of specs)
    for (const { origin } of spec.disks)
      if (origin.kind === "image" && origin.image === name && origin.remote !== undefined) return origin.remote;
  throw new OdoroboError("NOT_FOUND", `no VM of the fleet has a disk over an Image ${name} that nodes fetch`, {
    hint: "name an Image with a source, which a VM of these manifests uses",
  });
}

/** Of every node that answers. One that fails hides no other. */
export async function pullToNodes(
  reached: Reached,
  image: string,
  onProgress: (node: NodeName, progress: ImageFetch) => void,
  signal: AbortSignal,
): Promise<ImagePull> {
  const remote = remoteNamed(reached, image);
  const nodes = answering(reached);
  const pulled = await mapWithLimit(nodes, PARALLELISM, async (node): Promise<ImagePull["nodes"][number]> => {
    try {
      const client = reached.agents.of(node) as AgentClient;
      const wish = { name: image, remote, digest: null };
      const { digest, bytes, noop } = await client.fetchImage(wish, (each) => onProgress(node, each), signal);
      return { node, outcome: noop ? "there" : "fetched", digest, bytes, error: null };
    } catch (error) {
      signal.throwIfAborted();
      if (!isOdoroboError(error)) throw error;
      return { node, outcome: "failed", digest: null, bytes: null, error: toErrorBody(error) };
    }
  });
  const results = pulled.map((each) => {
    if (each.status === "rejected") throw each.reason;
    return each.value;
  });
  return { kind: "ImagePull", version: 1, image, nodes: results.sort((a, b) => byName(a.node, b.node)) };
}

const answering = ({ observed }: Reached): readonly NodeName[] =>
  observed.nodes.flatMap((node) => (node.reach === "answered" ? [node.name] : []));

async function askAll<Answer>(
  reached: Reached,
  signal: AbortSignal,
  ask: (client: AgentClient) => Promise<Answer>,
): Promise<{
  readonly answers: readonly { readonly node: NodeName; readonly answer: Answer }[];
  readonly silent: readonly SilentNode[];
}> {
  const silent: SilentNode[] = reached.observed.nodes.flatMap((node) =>
    node.reach === "silent" ? [{ name: node.name, error: node.error }] : [],
  );
  const nodes = answering(reached);
  const asked = await mapWithLimit(nodes, PARALLELISM, (node) => ask(reached.agents.of(node) as AgentClient));
  signal.throwIfAborted();
  const answers = asked.flatMap((each, index) => {
    const node = nodes[index] as NodeName;
    if (each.status === "fulfilled") return [{ node, answer: each.value }];
    silent.push({ name: node, error: each.reason instanceof Error ? each.reason.message : String(each.reason) });
    return [];
  });
  return { answers, silent: silent.sort((a, b) => byName(a.name, b.name)) };
}
