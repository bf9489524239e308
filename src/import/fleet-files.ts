/** Found VMs → the files of a fleet, as a person would write them, each with what was lost on the way at its top. Pure. */
import { stringify } from "yaml";
import { safeLine } from "../report/words/safe-text.ts";
import type { FoundNetwork, FoundVm, ImportNote } from "./found.ts";
import { ManifestNames } from "./manifest-names.ts";

export interface FleetFile {
  readonly path: string;
  readonly text: string;
}

export interface ImportedVm {
  readonly vm: FoundVm;
  readonly name: string;
  readonly path: string;
}

export interface FleetToWrite {
  readonly fleet: string;
  readonly node: string;
  readonly address: string;
  /** Before the first document of a file: how editors find the schema. */
  readonly headerOf: (path: string) => string;
}

export interface FleetFiles {
  readonly files: readonly FleetFile[];
  readonly vms: readonly ImportedVm[];
}

export function fleetFiles(found: readonly FoundVm[], { fleet, node, address, headerOf }: FleetToWrite): FleetFiles {
  const networks = networksOf(found);
  const names = new ManifestNames();
  const vms = found.map((vm): ImportedVm => {
    const name = names.give(vm.name);
    return { vm, name, path: `vms/${name}.yaml` };
  });
  const files: FleetFile[] = [];
  const write = (path: string, comment: readonly string[], documents: readonly object[]) => {
    const head = [headerOf(path), ...comment.map((line) => `# ${line}`)].join("\n");
    files.push({ path, text: `${head}\n${documents.map((each) => stringify(each, YAML)).join("---\n")}` });
  };
  write("fleet.yaml", [], [aDocument("Fleet", { name: fleet }, {})]);
  write(`nodes/${node}.yaml`, ["Where these guests' disks are."], [aDocument("Node", { name: node }, { address })]);
  const written = [...new Map([...networks.values()].map((each) => [each.name, each])).values()];
  if (written.length > 0)
    write(
      "networks.yaml",
      [],
      written.map(({ name, network }) => aDocument("Network", { name }, network)),
    );
  for (const { vm, name, path } of vms) {
    const nics = vm.spec.nics?.map((nic) => ({
      ...nic,
      network: networks.get(keyOf(nic.network, vm))?.name ?? nic.network,
    }));
    const { hypervisor, runStrategy, ...rest } = vm.spec;
    const spec = { hypervisor, runStrategy, placement: { node }, ...rest, ...(nics === undefined ? {} : { nics }) };
    const annotations = Object.keys(vm.annotations).length === 0 ? {} : { annotations: vm.annotations };
    write(path, commentOf(vm), [aDocument("VirtualMachine", { name, ...annotations }, spec)]);
  }
  return { files, vms };
}

const YAML = { lineWidth: 0, flowCollectionPadding: true } as const;

const aDocument = (kind: string, metadata: object, spec: object) => ({
  apiVersion: "odorobo.dev/v1",
  kind,
  metadata,
  spec,
});

/** What is called alike and is the same is one; `default` is taken by the one that is there without being written. */
function networksOf(
  found: readonly FoundVm[],
): ReadonlyMap<string, { readonly name: string; readonly network: FoundNetwork }> {
  const names = new ManifestNames(["default"]);
  const all = new Map<string, { name: string; network: FoundNetwork }>();
  for (const vm of found)
    for (const [called, network] of vm.networks) {
      const key = keyOf(called, vm);
      if (!all.has(key)) all.set(key, { name: names.give(called), network });
    }
  return all;
}

const keyOf = (called: string, { networks }: FoundVm): string => JSON.stringify([called, networks.get(called)]);

function commentOf({ file, name, notes }: FoundVm): string[] {
  const from = `From ${safeLine(file)}: ${safeLine(name)}. Manual: odorobo neither starts nor stops it until you write Always here.`;
  return [from, ...notes.map(noteLine)];
}

export const noteLine = ({ kind, what, says, line }: ImportNote): string =>
  `${kind.padEnd(7)} ${safeLine(what)} (line ${line}): ${safeLine(says)}`;
