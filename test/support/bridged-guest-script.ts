/** A QEMU guest with two NICs on the bridge `br0` of the namespace that this process was started in: one from its boot, one attached. Prints the taps it used. */
import { hostNetwork } from "../../src/agent/network/tap.ts";
import { toLiveConfig } from "../../src/model/fields.ts";
import type { Nic } from "../../src/model/vm-spec.ts";
import { aQemuWorld, patience } from "./qemu-world.ts";

const nic = (number: number): Nic => ({
  name: `eth${number}`,
  network: "front",
  attachment: { kind: "bridge", bridge: "br0" },
  mac: `52:54:00:00:00:0${number}`,
  address: null,
});
const [first, second] = [nic(1), nic(2)];
const { prepareTaps, removeTaps } = hostNetwork({ owner: null });

await prepareTaps("web-1", [first, second], patience());
{
  await using world = await aQemuWorld();
  const guest = await world.boot("web-1", { nics: [first] });
  await guest.says(/COUNTER 0/);
  const spec = { ...guest.input.spec, nics: [first, second] };
  await guest.running.update(spec, patience());
  const live = await guest.running.liveConfig(patience());
  process.stdout.write(
    JSON.stringify(live.nics) === JSON.stringify(toLiveConfig(spec).nics) ? "as asked\n" : "not as asked\n",
  );
}
await removeTaps("web-1", [first, second], patience());
