/**
 * The images that nodes must fetch for a plan, as steps in front of it: each once for a node, whoever waits for it; nothing else does.
 *
 *   make-plan.ts → [fetches.ts] → check-plan.ts, apply/
 *
 * Whether a node has an image its agent has said (`turn/look-around.ts`). Where nobody has, it may have to be fetched: the step finds it there, then.
 */
import { fetchKey, type ImageAnswer, type LookQuestion, type Looks } from "../model/boot/boot-needs.ts";
import type { Change } from "../model/changes.ts";
import { digestOf } from "../model/digest.ts";
import { byName, type NodeName, type VmName } from "../model/names.ts";
import { remoteKey } from "../model/remote-image.ts";
import type { VmSpec } from "../model/vm-spec.ts";
import type { Sightings } from "../reconcile/locate-vms.ts";
import { needsFor } from "../reconcile/look-ahead.ts";
import type { Step, StepOf } from "../schedule/step.ts";

/** Of a node that has not fetched anything yet: half of what a link of 1 Gbit/s carries. Said to be assumed wherever it is shown. */
export const ASSUMED_BYTES_PER_SECOND = 50 * 1024 * 1024;

interface PlannedVms {
  readonly changes: readonly Change[];
  readonly specs: Readonly<Record<VmName, VmSpec>>;
  readonly sightings: Sightings;
  readonly looks: ReadonlyMap<NodeName, Looks>;
}

type FetchQuestion = Extract<LookQuestion, { readonly kind: "fetch" }>;

/** What a VM of the plan needs that its node has not got, as far as anybody knows. */
export interface Wanted {
  readonly vm: VmName;
  readonly node: NodeName;
  readonly question: FetchQuestion;
  /** Null: nobody has said. */
  readonly answer: ImageAnswer | null;
}

/** In the order of the changes. */
export function* wantedImages({ changes, specs, sightings, looks }: PlannedVms): Iterable<Wanted> {
  for (const change of changes) {
    const location = sightings.locate(change.name);
    const seen = location.kind === "present" ? location.vm : null;
    const spec = specs[change.name] ?? seen?.spec;
    if (spec === undefined || !spec.disks.some(({ origin }) => origin.kind === "image" && origin.remote)) continue;
    const isNew = change.action === "create" || change.action === "replace" || seen === null;
    // One that comes back to kept disks is asked for its images, too: an agent that has the disks finds nothing to do.
    const made = isNew ? [] : (seen.disks ?? seen.spec.disks.map((disk) => disk.name));
    for (const { question } of needsFor(change, spec, made)) {
      if (question.kind !== "fetch") continue;
      const said = looks.get(change.node)?.[fetchKey(question.remote)];
      const answer = said?.found === true ? (said.image ?? null) : null;
      if (answer?.present !== true) yield { vm: change.name, node: change.node, question, answer };
    }
  }
}

/** `steps` with the fetches in front, and the first step of each VM waiting for its own. */
export function withFetches(steps: readonly Step[], planned: PlannedVms): readonly Step[] {
  const fetches = new Map<string, StepOf<"fetch">>();
  const waits = new Map<VmName, string[]>();
  for (const { vm, node, question, answer } of wantedImages(planned)) {
    const key = `${node} ${fetchKey(question.remote)}`;
    const step = fetches.get(key) ?? toStep(vm, node, question, answer);
    fetches.set(key, step);
    waits.set(vm, [...(waits.get(vm) ?? []), step.id]);
  }
  if (fetches.size === 0) return steps;
  const isBegun = new Set<VmName>();
  const later = steps.map((step): Step => {
    const before = waits.get(step.vm);
    if (before === undefined || isBegun.has(step.vm)) return step;
    isBegun.add(step.vm);
    return { ...step, after: [...new Set([...step.after, ...before])].sort(byName) };
  });
  return [...[...fetches.values()].sort((a, b) => byName(a.node, b.node) || byName(a.id, b.id)), ...later];
}

function toStep(
  vm: VmName,
  node: NodeName,
  { image, remote }: FetchQuestion,
  answer: ImageAnswer | null,
): StepOf<"fetch"> {
  const { digest = null, bytes = null, bytesPerSecond = null } = answer ?? {};
  const seconds = bytes === null ? null : Math.ceil(bytes / (bytesPerSecond ?? ASSUMED_BYTES_PER_SECOND));
  return {
    id: `fetch-${image}-${digestOf(["fetch", node, remoteKey(remote), digest]).slice(0, 8)}`,
    kind: "fetch",
    vm,
    node,
    after: [],
    class: "none",
    expect: null,
    image,
    remote,
    digest,
    bytes,
    estimatedSeconds: seconds,
    ...(bytes !== null && bytesPerSecond !== null ? { basis: "measured" as const } : {}),
  };
}
