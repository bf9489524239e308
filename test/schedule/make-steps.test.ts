/** From what a VM needs to the steps that do it: their order, what each expects, and what room they take and give. */
import { describe, expect, test } from "vitest";
import { NOTHING } from "../../src/model/capacity.ts";
import { instant, nodeName, vmName } from "../../src/model/names.ts";
import type { Draft, Homeless } from "../../src/reconcile/draft.ts";
import type { KeptDisks } from "../../src/reconcile/locate-vms.ts";
import { type Chain, stepsOfDraft, stepsOfPlaced } from "../../src/schedule/make-steps.ts";
import { aFleet, aSpec } from "../support/a-fleet.ts";

const [N1, N2] = [nodeName("n1"), nodeName("n2")];
const ONE = { cpus: 1, memoryMiB: 1024 };
const TWO = { cpus: 2, memoryMiB: 1024 };

const draft = (over: Partial<Draft> = {}): Draft => ({
  name: vmName("a"),
  node: N1,
  action: "update",
  class: "reboot",
  reasons: [],
  seen: { node: N1, generation: 7, serial: 3 },
  put: null,
  power: null,
  staysDown: false,
  restsAfter: false,
  departure: { kind: "rooted", why: "" },
  before: ONE,
  after: ONE,
  group: "web",
  source: null,
  ...over,
});

/** `updateVm live #8 defer`, with what the first expects. */
const inWords = (chain: Chain) =>
  chain.steps.map((step) => {
    const generation = "generation" in step ? ` #${step.generation}` : "";
    const expected = step.expect === null ? "" : ` expects ${step.expect.generation}.${step.expect.serial}`;
    const defer = "defer" in step && step.defer === true ? " defer" : "";
    return `${step.kind} ${step.node} ${step.class}${generation}${expected}${defer}`;
  });

describe("a VM that stays", () => {
  test.each<[string, Partial<Draft>, string[]]>([
    ["a spec", { put: aSpec() }, ["updateVm n1 live #8 expects 7.3"]],
    [
      "a spec that says nothing new of the guest",
      { put: aSpec(), class: "metadata" },
      ["updateVm n1 metadata #8 expects 7.3"],
    ],
    ["a boot", { power: "boot" }, ["bootVm n1 reboot expects 7.3"]],
    ["a spec and a boot", { put: aSpec(), power: "boot" }, ["updateVm n1 live #8 expects 7.3", "bootVm n1 reboot"]],
    // What the reboot does anyway need not succeed before it.
    ["a reboot", { put: aSpec(), power: "reboot" }, ["updateVm n1 live #8 expects 7.3 defer", "rebootVm n1 reboot"]],
    [
      "off, before the spec",
      { put: aSpec(), power: "shutdown" },
      ["shutdownVm n1 reboot expects 7.3", "updateVm n1 live #8"],
    ],
    [
      "going on, before the spec",
      { put: aSpec(), power: "resume" },
      ["resumeVm n1 reboot expects 7.3", "updateVm n1 live #8"],
    ],
    ["gone", { power: "delete" }, ["deleteVm n1 reboot expects 7.3"]],
    ["nothing", {}, []],
  ])("%s", (_, over, expected) => {
    const chain = stepsOfDraft(draft(over));
    expect(inWords(chain)).toEqual(expected);
    for (const [index, step] of chain.steps.entries())
      expect(step.after).toEqual(index === 0 ? [] : [chain.steps[index - 1]?.id]);
  });

  test.each<[Draft["power"], boolean, boolean]>([
    ["boot", false, true],
    ["resume", false, true],
    ["reboot", true, false],
    ["shutdown", true, false],
    ["delete", false, false],
    [null, false, false],
  ])("%s takes a guest down: %s, brings one up: %s", (power, disrupts, restores) => {
    expect(stepsOfDraft(draft({ put: aSpec(), power }))).toMatchObject({ disrupts, restores, group: "web" });
  });

  test("more room is taken from the first step on, less is given after the last", () => {
    const steps = { put: aSpec(), power: "reboot" } as const;
    const grows = stepsOfDraft(draft({ ...steps, after: TWO }));
    expect(grows.takes).toEqual([{ step: grows.steps[0]?.id, node: N1, amount: { cpus: 1, memoryMiB: 0 } }]);
    expect(grows.gives).toEqual([]);
    const shrinks = stepsOfDraft(draft({ ...steps, before: TWO }));
    expect(shrinks.takes).toEqual([]);
    expect(shrinks.gives).toEqual([{ step: shrinks.steps[1]?.id, node: N1, amount: { cpus: 1, memoryMiB: 0 } }]);
    expect(stepsOfDraft(draft(steps))).toMatchObject({ takes: [], gives: [] });
    // Without a step nothing changes hands.
    expect(stepsOfDraft(draft({ before: ONE, after: TWO }))).toMatchObject({ takes: [], gives: [] });
    expect(stepsOfDraft(draft({ before: TWO, after: ONE }))).toMatchObject({ takes: [], gives: [] });
  });

  test("an id tells the act, the VM, its node and its state; nothing else moves it", () => {
    const id = (over: Partial<Draft>) => stepsOfDraft(draft({ power: "boot", ...over })).steps[0]?.id;
    expect(id({})).toMatch(/^bootVm-a-[0-9a-f]{8}$/);
    expect(id({ class: "live", group: null })).toBe(id({}));
    const others = [
      id({ node: N2 }),
      id({ name: vmName("b") }),
      id({ seen: { node: N1, generation: 8, serial: 3 } }),
      id({ seen: { node: N1, generation: 7, serial: 4 } }),
    ];
    expect(new Set([id({}), ...others]).size).toBe(5);
  });
});

describe("a VM that gets a home", () => {
  const kept = (node: typeof N1, generation: number, serial: number, ...disks: string[]): KeptDisks => ({
    node,
    tombstone: {
      name: vmName("a"),
      fleet: "test",
      generation,
      serial,
      deletedAt: instant("2026-01-01T00:00:00.000Z"),
      retainUntil: instant("2026-02-01T00:00:00.000Z"),
      disks,
    },
  });

  const homeless = (over: Partial<Homeless> = {}): Homeless => ({
    vm: aFleet().vm("a").desired().vms[0]!,
    spec: aSpec({ group: "web" }),
    keptDisks: null,
    remains: [],
    from: null,
    moves: null,
    reasons: [],
    ...over,
  });
  const from = { seen: { node: N1, generation: 7, serial: 3 }, held: TWO, stays: false };
  const place = (over: Partial<Homeless>, startsNow = true, holds = ONE) =>
    stepsOfPlaced({ homeless: homeless(over), node: N2, holds }, startsNow);

  test("a new one is made, and booted where it is to run", () => {
    const chain = place({});
    expect(inWords(chain)).toEqual(["createVm n2 live #1", "bootVm n2 live"]);
    expect(chain).toMatchObject({ disrupts: false, restores: false, seen: null, group: "web", gives: [] });
    expect(chain.takes).toEqual([{ step: chain.steps[0]?.id, node: N2, amount: ONE }]);
    expect(chain.steps[1]?.after).toEqual([chain.steps[0]?.id]);
    expect(inWords(place({}, false))).toEqual(["createVm n2 live #1"]);
    expect(place({}, false, NOTHING).takes).toEqual([]);
  });

  test("one that moves goes first from where it was, and gives its room there", () => {
    const chain = place({ from });
    expect(inWords(chain)).toEqual(["deleteVm n1 replace expects 7.3", "createVm n2 replace #8", "bootVm n2 replace"]);
    expect(chain).toMatchObject({ disrupts: true, restores: false, seen: from.seen });
    expect(chain.takes).toEqual([{ step: chain.steps[1]?.id, node: N2, amount: ONE }]);
    expect(chain.gives).toEqual([{ step: chain.steps[0]?.id, node: N1, amount: TWO }]);
    expect(place({ from: { ...from, held: NOTHING } }).gives).toEqual([]);
  });

  test("its generation is above all its former lives, wherever they were", () => {
    expect(inWords(place({ remains: [kept(N1, 4, 1, "d"), kept(N2, 2, 1)] }, false))).toEqual(["createVm n2 live #5"]);
    expect(inWords(place({ from, remains: [kept(N1, 9, 1)] }, false))[1]).toBe("createVm n2 replace #10");
    expect(inWords(place({ from, remains: [kept(N1, 2, 1)] }, false))[1]).toBe("createVm n2 replace #8");
  });

  test("one that comes back to its disks expects just those", () => {
    expect(inWords(place({ remains: [kept(N1, 4, 1, "d"), kept(N2, 5, 2, "d")] }))).toEqual([
      "createVm n2 live #6 expects 5.2",
      "bootVm n2 live",
    ]);
    // Where none was kept there is nothing to come back to.
    expect(inWords(place({ remains: [kept(N2, 5, 2)] }, false))).toEqual(["createVm n2 live #6"]);
  });

  test("made again after it was deleted it is another act", () => {
    const id = (over: Partial<Homeless>) => place(over).steps[0]?.id;
    const again = kept(N1, 4, 6, "d");
    const once = id({ remains: [again], keptDisks: again });
    expect(once).not.toBe(id({ remains: [again] }));
    expect(once).not.toBe(id({ remains: [kept(N1, 4, 7, "d")], keptDisks: kept(N1, 4, 7, "d") }));
    expect(once).toBe(id({ remains: [again], keptDisks: again }));
  });
});
