/** The manifests that the harness keeps, and how people change them. */
import { existsSync } from "node:fs";
import { mkdir, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { aDocument } from "../test/support/manifest-texts.ts";
import type { Chance } from "./chance.ts";

export interface WantedVm {
  readonly node: string;
  readonly hypervisor: "noop" | "qemu";
  readonly cpus: number;
  readonly memoryMiB: number;
  readonly disks: readonly { readonly name: string; readonly sizeMiB: number }[];
  readonly isOff: boolean;
  readonly behaviour: Readonly<Record<string, string>>;
}

export interface Place {
  readonly name: string;
  readonly url: string;
  readonly hypervisor: "noop" | "qemu";
  /** At most so many VMs are kept there: real guests cost the machine more. */
  readonly room: number;
}

const NOOP_BEHAVIOUR: readonly Readonly<Record<string, string>>[] = [
  {},
  {},
  {},
  { "boot-delay": "200ms" },
  { "shutdown-delay": "150ms" },
  { "ignore-power-button": "true" },
  { "poweroff-after": "300ms" },
  { "reboot-after": "200ms" },
  { "crash-after": "400ms" },
  { fail: "boot" },
];

const BROKEN = [
  "apiVersion: odorobo.dev/v1\nkind: VirtualMachine\nmetadata:\n  name: [",
  "<<<<<<< HEAD\nspec: {}\n=======\nspec: { cpus: 2 }\n>>>>>>> theirs\n",
  "apiVersion: odorobo.dev/v1\nkind: VirtualMachine\nmetadata: { name: UPPER }\nspec: { cpu: 1 }\n",
  "\t- :\n",
  "",
];

const FIRST_VMS = 5;

export class Manifests {
  readonly folder: string;
  readonly #places: readonly Place[];
  readonly wanted = new Map<string, WantedVm>();
  readonly #broken = new Set<string>();
  #named = 0;

  constructor(folder: string, places: readonly Place[]) {
    this.folder = folder;
    this.#places = places;
  }

  async begin(): Promise<void> {
    await mkdir(join(this.folder, "vms"), { recursive: true });
    const fleet = [
      "defaults: { boot: { kernel: 'builtin:tiny' }, shutdownGrace: 2s }",
      "policy: { destroyGuard: { count: 1000, percent: 100 } }",
    ];
    await this.#write("fleet.yaml", aDocument("Fleet", "faults", fleet.join("\n")));
    await this.fence([]);
  }

  /** Says of these nodes that what was on them and is not seen any more is lost; of the others that it is not. */
  async fence(names: readonly string[]): Promise<void> {
    for (const { name, url } of this.#places) {
      const fenced = names.includes(name) ? "\nfenced: true" : "";
      await this.#write(`${name}.yaml`, aDocument("Node", name, `address: ${url}${fenced}`));
    }
  }

  async populate(chance: Chance): Promise<void> {
    for (let made = 0; made < FIRST_VMS; made++) await this.#add(chance);
  }

  /** What was edited, as a sentence. */
  async edit(chance: Chance): Promise<string> {
    await this.heal();
    const names = [...this.wanted.keys()].sort();
    const edits = [() => this.#add(chance), () => this.#add(chance)];
    const name = chance.pick(names);
    if (name !== undefined) {
      const vm = this.wanted.get(name) as WantedVm;
      edits.push(
        () => this.#set(name, { ...vm, cpus: 3 - vm.cpus }, "cpus"),
        () => this.#set(name, { ...vm, memoryMiB: vm.memoryMiB === 64 ? 80 : 64 }, "memory"),
        () => this.#set(name, { ...vm, disks: withDisk(vm, chance) }, "disks"),
        () => this.#set(name, { ...vm, disks: vm.disks.slice(0, -1) }, "a disk less"),
        () => this.#set(name, { ...vm, isOff: !vm.isOff }, vm.isOff ? "on" : "off"),
        () => this.#set(name, { ...vm, behaviour: behaviour(vm.hypervisor, chance) }, "behaviour"),
        () => this.#move(name, vm, chance),
        () => this.#rename(name, vm),
      );
      if (names.length > 2) edits.push(() => this.#remove(name));
    }
    return (chance.pick(edits) as () => Promise<string>)();
  }

  async break(chance: Chance): Promise<string> {
    const name = chance.pick([...this.wanted.keys()].sort()) ?? "new";
    this.#broken.add(name);
    await this.#write(`vms/${name}.yaml`, chance.pick(BROKEN) as string);
    return `${name}.yaml is broken`;
  }

  get isBroken(): boolean {
    return this.#broken.size > 0;
  }

  /** Every manifest is as it is meant again. */
  async heal(): Promise<void> {
    for (const name of this.#broken) {
      const vm = this.wanted.get(name);
      if (vm === undefined) await rm(join(this.folder, `vms/${name}.yaml`), { force: true });
      else await this.#write(`vms/${name}.yaml`, textOf(name, vm));
    }
    this.#broken.clear();
  }

  /** All are to run, and none misbehaves. */
  async calmDown(): Promise<void> {
    await this.heal();
    for (const [name, vm] of this.wanted) await this.#set(name, { ...vm, isOff: false, behaviour: {} }, "calm");
  }

  async #add(chance: Chance): Promise<string> {
    const places = this.#places.filter(({ name, room }) => this.#on(name) < room);
    const place = chance.pick(places);
    if (place === undefined) return "no room for one more";
    const name = `v${++this.#named}`;
    const { hypervisor } = place;
    const vm = { node: place.name, hypervisor, cpus: 1, memoryMiB: 64, disks: [], isOff: false, behaviour: {} };
    const disks = chance.often(0.6) ? withDisk(vm, chance) : [];
    return this.#set(name, { ...vm, disks, behaviour: behaviour(hypervisor, chance) }, "new");
  }

  #on(node: string): number {
    return [...this.wanted.values()].filter((vm) => vm.node === node).length;
  }

  /** Only what has no disks may move without leaving something behind. */
  async #move(name: string, vm: WantedVm, chance: Chance): Promise<string> {
    const places = this.#places.filter(({ hypervisor }) => hypervisor === vm.hypervisor);
    const place = chance.pick(places);
    if (place === undefined || vm.disks.length > 0) return `${name} stays`;
    return this.#set(name, { ...vm, node: place.name }, `to ${place.name}`);
  }

  async #rename(name: string, vm: WantedVm): Promise<string> {
    await this.#remove(name);
    return this.#set(`v${++this.#named}`, vm, `was ${name}`);
  }

  async #remove(name: string): Promise<string> {
    this.wanted.delete(name);
    await rm(join(this.folder, `vms/${name}.yaml`), { force: true });
    return `${name} is removed`;
  }

  async #set(name: string, vm: WantedVm, what: string): Promise<string> {
    this.wanted.set(name, vm);
    await this.#write(`vms/${name}.yaml`, textOf(name, vm));
    return `${name}: ${what}`;
  }

  /** As editors save it: another may read at any moment. */
  async #write(path: string, text: string): Promise<void> {
    const file = join(this.folder, path);
    if (!existsSync(file)) return writeFile(file, text);
    await writeFile(`${file}~`, text);
    await rename(`${file}~`, file);
  }
}

function withDisk({ disks, hypervisor }: WantedVm, chance: Chance): WantedVm["disks"] {
  const last = disks.at(-1);
  if (last !== undefined && last.sizeMiB < 64 && chance.often(0.5))
    return [...disks.slice(0, -1), { ...last, sizeMiB: last.sizeMiB + 8 }];
  if (disks.length >= 3 || (hypervisor === "qemu" && disks.length >= 2)) return disks;
  return [...disks, { name: `d${disks.length}`, sizeMiB: 8 }];
}

const behaviour = (hypervisor: WantedVm["hypervisor"], chance: Chance): WantedVm["behaviour"] =>
  hypervisor === "noop" ? (chance.pick(NOOP_BEHAVIOUR) as WantedVm["behaviour"]) : {};

function textOf(name: string, vm: WantedVm): string {
  const annotations = Object.fromEntries(
    Object.entries(vm.behaviour).map(([key, value]) => [`noop.odorobo.dev/${key}`, value]),
  );
  const disks = vm.disks.map((disk) => `{ name: ${disk.name}, size: ${disk.sizeMiB}MiB }`);
  const spec = [
    `placement: { node: ${vm.node} }`,
    `hypervisor: ${vm.hypervisor}`,
    `cpus: { count: ${vm.cpus}, max: 2 }`,
    `memory: ${vm.memoryMiB}MiB`,
    `disks: [ ${disks.join(", ")} ]`,
    ...(vm.isOff ? ["runStrategy: Stopped"] : []),
  ];
  return aDocument("VirtualMachine", name, spec.join("\n"), `annotations: ${JSON.stringify(annotations)}`);
}
