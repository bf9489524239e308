/**
 * An agent's keeper of networks in the network namespace that this process was started in, told on stdin what guests come and go, one JSON document a
 * line, and answering likewise. Guests are namespaces of their own behind a pair of links, of which one has the name of the guest's tap.
 *
 *   network-script.ts OWNER DATA RUN
 */
import { execFile } from "node:child_process";
import { access } from "node:fs/promises";
import { createInterface } from "node:readline";
import { promisify } from "node:util";
import { tapName } from "../../src/agent/launch-command.ts";
import { NetworkKeeper } from "../../src/agent/network/network-keeper.ts";
import { type Run, runProgram } from "../../src/agent/network/standing/run.ts";
import type { HostNetwork } from "../../src/agent/network/tap.ts";
import type { PlacedNic } from "../../src/agent/network/wanted/wanted-network.ts";
import { createSpawnSupervisor } from "../../src/agent/supervisor/spawn/spawn-supervisor.ts";
import { isOdoroboError } from "../../src/model/errors.ts";
import { instant } from "../../src/model/names.ts";
import type { Nic } from "../../src/model/vm-spec.ts";
import { silentLogger } from "../../src/platform/logger.ts";

export type Told =
  | {
      readonly act: "prepare" | "remove" | "update";
      readonly vm: string;
      readonly namespace?: string;
      readonly nics: readonly Nic[];
    }
  | { readonly act: "settle" | "report" }
  /** The agent is killed, its memory lost, and another one begins, which is killed in its turn when it is to begin its command of this number. */
  | {
      readonly act: "anew";
      readonly dieAt: number;
      readonly owner?: string;
      readonly dataFolder?: string;
      readonly forget?: boolean;
    }
  | { readonly act: "look"; readonly nic: Nic };

const execute = promisify(execFile);
const ip = (args: readonly string[]) => execute("ip", args);
const [owner = "", dataFolder = "", runFolder = ""] = process.argv.slice(2);
const signal = AbortSignal.timeout(300_000);
const placed = new Map<string, PlacedNic>();
const events: string[] = [];
let namespace = "";

const taps: HostNetwork = {
  async prepareTaps(vm, nics) {
    for (const nic of nics) {
      const tap = tapName(vm, nic.name);
      const bridge = nic.attachment.kind === "bridge" ? nic.attachment.bridge : "";
      const isThere = await access(`/sys/class/net/${tap}`).then(
        () => true,
        () => false,
      );
      if (!isThere) {
        await ip([
          "link",
          "add",
          "name",
          tap,
          "type",
          "veth",
          "peer",
          "name",
          nic.name,
          "address",
          nic.mac,
          "netns",
          namespace,
        ]);
        await ip(["-n", namespace, "link", "set", nic.name, "up"]);
      }
      await ip(["link", "set", "dev", tap, "address", `fe${nic.mac.slice(2)}`, "master", bridge, "up"]);
    }
  },
  async removeTaps(vm, nics) {
    for (const nic of nics) await ip(["link", "del", "dev", tapName(vm, nic.name)]).catch(() => {});
  },
  replugTaps: async () => {},
  bridgeOf: async () => null,
};

/** No catch of the keeper's takes it: nothing of it is done after that, as after kill -9. */
class Killed extends Error {}

let commands = 0;
let dieAt = 0;
const run: Run = async (command, within) => {
  const isLook = command.args.includes("show") || command.args.includes("list");
  if (!isLook && ++commands === dieAt) throw new Killed();
  return runProgram(command, within);
};

function aKeeper(of = { owner, dataFolder }): NetworkKeeper {
  const made = new NetworkKeeper({
    ...{ taps, ...of, runFolder, supervisor: createSpawnSupervisor(), logger: silentLogger, run },
  });
  made.begin({
    placed: () => [...placed.values()],
    tell: (vms, message) => void events.push(`${vms.join(",")}: ${message}`),
  });
  return made;
}
let keeper = aKeeper();

async function act(told: Told): Promise<unknown> {
  if (told.act === "anew") {
    [commands, dieAt] = [0, told.dieAt];
    if (told.forget) placed.clear();
    keeper = aKeeper({ owner: told.owner ?? owner, dataFolder: told.dataFolder ?? dataFolder });
  }
  if (told.act === "settle") await keeper.settle(signal);
  if (told.act === "look") {
    const { network, attachment, made = null } = told.nic;
    return keeper.lookFor(
      { kind: "network", network, bridge: attachment.kind === "bridge" ? attachment.bridge : "", made },
      signal,
    );
  }
  if (told.act === "prepare" || told.act === "update") {
    namespace = told.namespace ?? "";
    if (told.act === "prepare") await keeper.prepareTaps(told.vm, told.nics, signal);
    else await keeper.update(told.vm, told.nics, signal);
    for (const nic of told.nics)
      placed.set(`${told.vm} ${nic.name}`, { vm: told.vm, nic, appliedAt: instant(new Date().toISOString()) });
  }
  if (told.act === "remove") {
    for (const nic of told.nics) placed.delete(`${told.vm} ${nic.name}`);
    await keeper.removeTaps(told.vm, told.nics, signal);
  }
  return { report: keeper.report(), events: events.splice(0), commands };
}

process.stdout.write(`${JSON.stringify({ ready: true })}\n`);
for await (const line of createInterface({ input: process.stdin })) {
  const answer = await act(JSON.parse(line) as Told).catch((error: unknown) => {
    if (error instanceof Killed) return { killed: commands, events: events.splice(0) };
    if (!isOdoroboError(error)) throw error;
    return {
      refused: `${error.code} ${error.message}`,
      cause: String((error.cause as Error | undefined)?.message ?? ""),
      events: events.splice(0),
    };
  });
  process.stdout.write(`${JSON.stringify(answer)}\n`);
}
