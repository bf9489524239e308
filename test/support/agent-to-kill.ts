/**
 * An agent in a process of its own that kills itself with SIGKILL at the n-th boundary of what it is asked to do.
 * Run by `test/agent/lifecycle/kill.test.ts`: node agent-to-kill.ts <folder> <process|noop> <n>
 */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { aKillableAgent, KILL_SCRIPT } from "./a-killable-agent.ts";

const [folder, guests, dieAt] = process.argv.slice(2) as [string, "process" | "noop", string];
let passed = 0;
const agent = await aKillableAgent(folder, guests, async (name) => {
  passed++;
  if (passed < Number(dieAt)) return;
  writeFileSync(join(folder, "died-at"), name);
  process.kill(process.pid, "SIGKILL");
  await new Promise(() => {});
});
for (const step of KILL_SCRIPT) await step.ask(agent, step.id);
writeFileSync(join(folder, "finished"), String(passed));
process.exit(0);
