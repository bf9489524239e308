/** A VM of nobody's fleet, made from Cloud Hypervisor's own configuration: shared by `vm spawn` and `vm create`. */
import { readFile } from "node:fs/promises";
import { text } from "node:stream/consumers";
import { OdoroboError } from "../../model/errors.ts";
import { isDnsLabel, type NodeName, type VmName, vmName } from "../../model/names.ts";
import type { VmReport } from "../../model/observed-state.ts";
import type { Reached } from "../../turn/reach-nodes.ts";
import { type NodesFlags, operate, reach } from "./vm-action.ts";

export interface MakeRequest {
  readonly vm: string;
  readonly flags: NodesFlags;
  /** A path, `-` for stdin; undefined: it comes later. */
  readonly config: string | undefined;
  readonly boot: boolean;
  /** A VM that waits for its configuration may be there. */
  readonly mayExist: boolean;
  readonly signal: AbortSignal;
}

export interface MadeVm {
  readonly node: NodeName;
  readonly vm: VmReport;
}

export async function makeByHand({ vm, flags, config, boot, mayExist, signal }: MakeRequest): Promise<MadeVm> {
  const name = checkName(vm);
  const document = config === undefined ? null : await readVmConfig(config);
  await using reached = await reach(flags, signal);
  const node = chooseNode(name, reached);
  const there = isThere(name, node, reached);
  if (there && !mayExist)
    throw new OdoroboError("WRONG_PHASE", `${name} is on ${node} already`, {
      hint: `odorobo vm info ${name} shows it; a VM that waits for its configuration gets it with vm create`,
    });
  const client = reached.agents.of(node);
  if (there) await client.giveConfig(name, document, signal);
  else await client.spawnVm(name, document, signal);
  if (boot) await start(reached, node, name, signal);
  return { node, vm: await client.vm(name, signal) };
}

/** Rejects with why it does not start, and that it is there all the same. */
async function start(reached: Reached, node: NodeName, name: VmName, signal: AbortSignal): Promise<void> {
  try {
    await operate(reached, node, name, { operation: { kind: "boot" }, doing: "booting", signal });
  } catch (error) {
    if (!(error instanceof OdoroboError)) throw error;
    const message = `${name} was made on ${node} and does not start: ${error.message}`;
    throw new OdoroboError(error.code, message, { cause: error.cause, hint: error.hint });
  }
}

/** Throws USAGE. The agent would fold upper case, and then the VM had another name than was asked for. */
function checkName(text: string): VmName {
  if (isDnsLabel(text)) return vmName(text);
  throw new OdoroboError("USAGE", `${JSON.stringify(text)} is not a VM name`, {
    hint: "a name has lower-case letters, digits and dashes, at most 63, and begins and ends with a letter or digit",
  });
}

/** A name is one VM in the whole fleet, and what the manifests name is theirs to make. */
function chooseNode(name: VmName, { fleet, observed }: Reached): NodeName {
  if (fleet?.desired.vms.some((each) => each.name === name))
    throw new OdoroboError("FLEET_MISMATCH", `${name} stands in the manifests of fleet ${fleet.desired.fleet.name}`, {
      hint: "odorobo apply makes it; choose another name for a VM of your own",
    });
  const homes = observed.nodes.filter(
    (node) => node.reach === "answered" && node.report.vms.some((vm) => vm.name === name),
  );
  const [home] = homes;
  if (home !== undefined) return home.name;
  const [node, ...others] = observed.nodes;
  if (node === undefined) throw new OdoroboError("NOT_FOUND", "the manifests name no node");
  if (others.length > 0)
    throw new OdoroboError("USAGE", `on which node? there is ${observed.nodes.map((each) => each.name).join(", ")}`, {
      hint: "say so with --node NAME",
    });
  if (node.reach === "silent")
    throw new OdoroboError("AGENT_UNREACHABLE", `${node.name} does not answer: ${node.error}`);
  return node.name;
}

const isThere = (name: VmName, at: NodeName, { observed }: Reached): boolean =>
  observed.nodes.some(
    (node) => node.name === at && node.reach === "answered" && node.report.vms.some((vm) => vm.name === name),
  );

/** Throws USAGE for what is no JSON object, and for a manifest. */
async function readVmConfig(path: string): Promise<unknown> {
  const words = path === "-" ? await text(process.stdin) : await read(path);
  const source = path === "-" ? "what was piped in" : path;
  if (/^\s*apiVersion:/m.test(words)) throw notAManifest(source);
  let config: unknown;
  try {
    config = JSON.parse(words);
  } catch (cause) {
    throw new OdoroboError("USAGE", `${source} is not JSON`, { cause, hint: HINT });
  }
  if (typeof config !== "object" || config === null || Array.isArray(config))
    throw new OdoroboError("USAGE", `${source} is not a VmConfig: it must be a JSON object`, { hint: HINT });
  if ("apiVersion" in config) throw notAManifest(source);
  return config;
}

const HINT = "a VmConfig is what Cloud Hypervisor's vm.create takes";

const notAManifest = (source: string): OdoroboError =>
  new OdoroboError("USAGE", `${source} is a manifest, and this makes VMs from Cloud Hypervisor's own VmConfig`, {
    hint: "manifests are applied: odorobo apply FOLDER",
  });

async function read(path: string): Promise<string> {
  try {
    return await readFile(path, "utf8");
  } catch (cause) {
    throw new OdoroboError("USAGE", `cannot read ${path}`, { cause });
  }
}
