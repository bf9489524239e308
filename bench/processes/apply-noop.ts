/** Applies a new fleet of noop VMs: each is created and booted, every record durable before the next word is said. */
import { useNativeDigests } from "../../src/platform/native-digests.ts";
import { openApplyWorld } from "../apply-world.ts";
import { tell } from "../tell.ts";

useNativeDigests();
const [scratch = "", vms = "0", agents = "1"] = process.argv.slice(2);
await using world = await openApplyWorld({ scratch, hypervisor: "noop", agents: Number(agents), vms: Number(vms) });
const { milliseconds, steps } = await world.apply();
const unchanged = await world.unchanged();
tell(`${steps} steps done, then ${unchanged} VMs unchanged`, { milliseconds, values: { steps } });
