/** Runs the functions of `agent/network/tap.ts` in the namespace that this process was started in: `tap-script.ts prepare|remove|replug|look VM BRIDGE [OWNER]`. */
import { hostNetwork } from "../../src/agent/network/tap.ts";
import { isOdoroboError } from "../../src/model/errors.ts";
import type { Nic } from "../../src/model/vm-spec.ts";

const [act = "", vm = "", bridge = "", owner = null] = process.argv.slice(2);
const nics: readonly Nic[] = [
  { name: "eth0", network: "front", attachment: { kind: "bridge", bridge }, mac: "52:54:00:00:00:01", address: null },
  { name: "eth1", network: "nat", attachment: { kind: "user" }, mac: "52:54:00:00:00:02", address: null },
];
try {
  const network = hostNetwork({ owner });
  const acts = { prepare: network.prepareTaps, remove: network.removeTaps, replug: network.replugTaps };
  if (act in acts) await acts[act as keyof typeof acts](vm, nics, AbortSignal.timeout(60_000));
  else process.stdout.write(`${await network.bridgeOf(vm, nics[0] as Nic)}\n`);
} catch (error) {
  if (!isOdoroboError(error)) throw error;
  process.stdout.write(`${error.code} ${error.message}\n`);
}
