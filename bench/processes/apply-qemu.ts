/** Applies a new fleet of real guests, each the small one that counts aloud, and waits until all of them do. */
import { useNativeDigests } from "../../src/platform/native-digests.ts";
import { openApplyWorld } from "../apply-world.ts";
import { tell } from "../tell.ts";

useNativeDigests();
const [scratch = "", vms = "0", agents = "1"] = process.argv.slice(2);
await using world = await openApplyWorld({ scratch, hypervisor: "qemu", agents: Number(agents), vms: Number(vms) });
const { milliseconds, steps } = await world.apply();
const unchanged = await world.unchanged();
tell(`${steps} steps done, ${unchanged} guests count`, { milliseconds });
