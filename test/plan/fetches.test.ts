/** Images that nodes must fetch are steps: once for each node, in front of what needs them and of nothing else, with what is known of them. */
import { describe, expect, test } from "vitest";
import { fetchKey, type ImageAnswer, type LookAnswer } from "../../src/model/boot/boot-needs.ts";
import type { ObservedState } from "../../src/model/observed-state.ts";
import type { RemoteImage } from "../../src/model/remote-image.ts";
import type { Disk } from "../../src/model/vm-spec.ts";
import { checkPlan } from "../../src/plan/check-plan.ts";
import { makePlan } from "../../src/plan/make-plan.ts";
import type { Plan } from "../../src/plan/plan-document.ts";
import { describeStep } from "../../src/schedule/step.ts";
import { planLookingAhead } from "../../src/turn/look-around.ts";
import { ABLE, aFleet, aSpec, type FleetBuilder, type WorldBuilder } from "../support/a-fleet.ts";

const remoteOf = (name: string): RemoteImage => ({
  format: "qcow2",
  sources: [
    {
      ...{ architecture: null, urls: [`https://h/${name}.qcow2`], compression: "none" },
      checksum: { algorithm: "sha256", digest: name.repeat(64).slice(0, 64) },
    },
  ],
});

const disk = (image: string, name = "root", sizeMiB = 2048): Disk => ({
  name,
  origin: { kind: "image", image, path: `image:${image}`, format: "raw", sizeMiB, remote: remoteOf(image) },
  readonly: false,
});

const MIB = 1024 * 1024;

const answer = (over: Partial<ImageAnswer> = {}): ImageAnswer => ({
  ...{ digest: "sha256:x", present: false, bytes: 400 * MIB, virtualBytes: null, bytesPerSecond: null },
  ...over,
});

type Answers = Readonly<Record<string, Readonly<Record<string, ImageAnswer | string>>>>;

/** By node and image; a string: why it cannot be had. What is not told of nobody says. */
async function planWith(
  fleet: FleetBuilder,
  world: WorldBuilder,
  answers: Answers = {},
): Promise<{ readonly plan: Plan; readonly observed: ObservedState; readonly said: readonly string[] }> {
  const desired = fleet.desired();
  const make = (observed: ObservedState) =>
    makePlan({
      ...{ desired, observed, source: "test", commit: null, selection: null },
      allowances: { maxClass: "replace", allowDestroy: null },
    });
  const agentOf = (node: string) => ({
    lookFor: async (questions: readonly { readonly kind: string; readonly image?: string }[]) =>
      questions.map(({ kind, image = "" }): LookAnswer | null => {
        const told = kind === "fetch" ? answers[node]?.[image] : undefined;
        if (told === undefined) return null;
        return typeof told === "string" ? { found: false, problem: told } : { found: true, image: told };
      }),
  });
  const { plan, observed } = await planLookingAhead(
    onQemu(world.observed()),
    make,
    agentOf,
    new AbortController().signal,
  );
  expect(checkPlan(plan, desired, observed)).toEqual([]);
  return { plan, observed, said: plan.steps.map((step) => describeStep(step) + waits(plan, step.after)) };
}

const waits = ({ steps }: Plan, after: readonly string[]): string =>
  after.length === 0 ? "" : ` after ${after.map((id) => steps.findIndex((step) => step.id === id) + 1).join(", ")}`;

const onQemu = (observed: ObservedState): ObservedState => ({
  ...observed,
  nodes: observed.nodes.map((node) =>
    node.reach === "silent"
      ? node
      : { ...node, report: { ...node.report, hypervisors: [{ kind: "qemu", version: "8", capabilities: ABLE }] } },
  ),
});

const qemu = (on: string, ...disks: readonly Disk[]) => ({ on, hypervisor: "qemu" as const, disks });

describe("a plan with images that are fetched", () => {
  test("each once for a node, in front of all that need it, and beside the rest", async () => {
    const fleet = aFleet()
      .nodes("n1", "n2")
      .vm("a", qemu("n1", disk("deb")))
      .vm("b", qemu("n1", disk("deb"), disk("tools", "data")))
      .vm("c", qemu("n2", disk("deb")))
      .vm("d", qemu("n2"));
    const { said, plan } = await planWith(fleet, fleet.empty(), {
      n1: { deb: answer(), tools: answer({ bytes: null }) },
      n2: { deb: answer({ bytesPerSecond: 100 * MIB }) },
    });
    expect(said).toEqual([
      "fetch image deb to n1 (400 MiB, about 8 s if 50 MiB come in one)",
      "fetch image tools to n1 (unknown size)",
      "fetch image deb to n2 (400 MiB, about 4 s)",
      "create a on n1 after 1",
      "create b on n1 after 1, 2",
      "create c on n2 after 3",
      "create d on n2",
      "boot a on n1 after 4",
      "boot b on n1 after 5",
      "boot c on n2 after 6",
      "boot d on n2 after 7",
    ]);
    expect(plan.steps[0]).toMatchObject({ kind: "fetch", node: "n1", vm: "a", class: "none", digest: "sha256:x" });
    expect(plan.steps[2]).toMatchObject({ basis: "measured", estimatedSeconds: 4 });
  });

  test("what is there is not fetched; where nobody says, it may have to be", async () => {
    const fleet = aFleet()
      .nodes("n1", "n2")
      .vm("a", qemu("n1", disk("deb")))
      .vm("b", qemu("n2", disk("deb")));
    const { said } = await planWith(fleet, fleet.empty(), { n1: { deb: answer({ present: true }) } });
    expect(said.slice(0, 2)).toEqual(["fetch image deb to n2 (unknown size)", "create a on n1"]);
  });

  test("VMs that have their disks need no image, also for a boot and a reboot; a disk more does, before the guest is touched", async () => {
    const fleet = aFleet()
      .node("n1")
      .vm("off", qemu("n1", disk("deb")))
      .vm("more", { ...qemu("n1", disk("deb"), disk("tools", "data")), cpus: { count: 1, max: 2 } });
    const world = fleet
      .empty()
      .has("off", "n1", { phase: "stopped", spec: aSpec({ hypervisor: "qemu", disks: [disk("deb")] }) })
      .has("more", "n1", {
        spec: aSpec({ hypervisor: "qemu", disks: [disk("deb")], cpus: { count: 1, max: 1 } }),
      });
    const { said } = await planWith(fleet, world, { n1: { deb: answer(), tools: answer() } });
    expect(said).toEqual([
      "fetch image tools to n1 (400 MiB, about 8 s if 50 MiB come in one)",
      "update more on n1 after 1",
      "boot off on n1",
      "reboot more on n1 after 2",
    ]);
  });

  test("a guest that is made anew is not taken down before its image is there", async () => {
    const fleet = aFleet()
      .nodes("n1", "n2")
      .vm("a", qemu("n2", disk("deb")));
    const world = fleet.empty().has("a", "n1", { spec: aSpec({ hypervisor: "cloud-hypervisor", disks: [] }) });
    const { plan } = await planWith(fleet, world, { n2: { deb: answer() } });
    const removal = plan.steps.find(({ kind }) => kind === "deleteVm" || kind === "createVm");
    expect(plan.steps[0]).toMatchObject({ kind: "fetch", node: "n2" });
    expect(removal?.after).toEqual([plan.steps[0]?.id]);
  });

  test("an image that cannot be had there is no reason to begin", async () => {
    const fleet = aFleet()
      .node("n1")
      .vm("a", qemu("n1", disk("deb")));
    const { plan } = await planWith(fleet, fleet.empty(), { n1: { deb: "there is no source for aarch64" } });
    expect(plan.steps).toEqual([]);
    expect(plan.blocked[0]?.message).toContain("there is no source for aarch64");
  });

  test("stand-ins fetch nothing", async () => {
    const fleet = aFleet()
      .node("n1")
      .vm("a", { on: "n1", disks: [disk("deb")] });
    const desired = fleet.desired();
    const observed = fleet.empty().observed();
    const plan = makePlan({
      ...{ desired, observed, source: "test", commit: null, selection: null },
      allowances: { maxClass: null, allowDestroy: null },
    });
    expect(plan.steps.map(describeStep)).toEqual(["create a on n1", "boot a on n1"]);
    expect(checkPlan(plan, desired, observed)).toEqual([]);
  });

  test("the checker sees a create that does not wait, a fetch for nobody, and one that is there twice", async () => {
    const fleet = aFleet()
      .node("n1")
      .vm("a", qemu("n1", disk("deb")));
    const { plan, observed } = await planWith(fleet, fleet.empty(), { n1: { deb: answer() } });
    const check = (steps: Plan["steps"]) =>
      checkPlan({ ...plan, steps }, fleet.desired(), observed).map(({ promise, message }) => `${promise}: ${message}`);
    const [fetch, create, ...rest] = plan.steps as [Plan["steps"][number], Plan["steps"][number], ...Plan["steps"]];
    expect(check([{ ...create, after: [] }, ...rest])).toEqual(["order: create a on n1: nobody fetches deb before"]);
    expect(check([fetch, { ...create, after: [] }, ...rest])).toEqual([
      "order: create a on n1 does not wait for its image",
    ]);
    expect(check([fetch, { ...fetch, id: "fetch-again" }, create, ...rest])[0]).toContain("twice");
    const other = { ...fetch, id: "fetch-x", remote: remoteOf("other") } as Plan["steps"][number];
    expect(check([fetch, other, create, ...rest])[0]).toContain("nobody needs it");
    expect(fetchKey(remoteOf("deb"))).toMatch(/^fetch [0-9a-f]{64}$/);
  });
});
