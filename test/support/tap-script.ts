/** Runs the functions of `agent/network/tap.ts` in the namespace that this process was started in: `tap-script.ts prepare|remove VM BRIDGE [OWNER]`. */
import { hostNetwork } from "../../src/agent/network/tap.ts";
import { isOdoroboError } from "../../src/model/errors.ts";
import type { Nic } from "../../src/model/vm-spec.ts";

const [act, vm = "", bridge = "", owner = null] = process.argv.slice(2);
const nics: readonly Nic[] = [
  { name: "eth0", network: "front", attachment: { kind: "bridge", bridge }, mac: "52:54:00:00:00:01", address: null },
  { name: "eth1", network: "nat", attachment: { kind: "user" }, mac: "52:54:00:00:00:02", address: null },
];
try {
  const { prepareTaps, removeTaps } = hostNetwork({ owner });
  await (act === "prepare" ? prepareTaps : removeTaps)(vm, nics, AbortSignal.timeout(60_000));
} catch (error) {
  if (!isOdoroboError(error)) throw error;
  process.stdout.write(`${error.code} ${error.message}\n`);
}
