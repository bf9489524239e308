/** Real agents with noop guests, each behind its own socket in the folder, until the parent lets go. Arguments: folder, how many. */
import { join } from "node:path";
import { parseAgentConfig } from "../../src/agent/config.ts";
import type { Lifecycle } from "../../src/agent/lifecycle/lifecycle.ts";
import { startAgent } from "../../src/agent/main.ts";
import { useNativeDigests } from "../../src/platform/native-digests.ts";
import { killGuest } from "../kill-guest.ts";

useNativeDigests();
const [folder = "", count = "1"] = process.argv.slice(2);
const agents = new AsyncDisposableStack();
const lifecycles: Lifecycle[] = [];
for (let index = 0; index < Number(count); index++) {
  const name = `a${index}`;
  const config = parseAgentConfig({
    name,
    listen: [`unix://${join(folder, `${name}.sock`)}`],
    data: join(folder, name, "d"),
    run: join(folder, name, "r"),
    hypervisor: ["noop"],
    cpus: 10_000,
    memoryMiB: 1_000_000,
    logLevel: "silent",
  });
  lifecycles.push(agents.use(await startAgent(config)).lifecycle);
}
process.once("disconnect", async () => {
  // Guests outlive their agents: that is the product's promise, and here ours to end.
  const { signal } = new AbortController();
  for (const lifecycle of lifecycles)
    for (const { pid } of (await lifecycle.report(signal)).vms) if (pid !== null) killGuest(pid);
  await agents.disposeAsync();
  process.exit(0);
});
process.send?.("ready");
