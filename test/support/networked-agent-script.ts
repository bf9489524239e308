/** An agent as a server runs it, in the network namespace that this process was started in: `networked-agent-script.ts NAME FOLDER`. Ends with its stdin. */
import { join } from "node:path";
import { parseAgentConfig } from "../../src/agent/config.ts";
import { startAgent } from "../../src/agent/main.ts";

const [name = "", folder = ""] = process.argv.slice(2);
await startAgent(
  parseAgentConfig({
    name,
    listen: [`unix://${join(folder, `${name}.sock`)}`],
    data: join(folder, name, "d"),
    run: join(folder, name, "r"),
    hypervisor: ["qemu"],
    supervisor: "spawn",
    logLevel: "error",
  } as never),
);
process.stdout.write("ready\n");
process.stdin.resume().on("end", () => process.exit(0));
