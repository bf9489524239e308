/**
 * Every command. oclif loads this whole table, so a command's file imports nothing heavy at its top:
 * what `run` needs it imports itself (`await import(…)`). That keeps `--help` and the first line of output fast.
 */
import AgentCommand from "./agent.ts";
import Apply from "./apply.ts";
import DemoCommand from "./demo.ts";
import Destroy from "./destroy.ts";
import Diff from "./diff.ts";
import Init from "./init.ts";
import NodeListCommand from "./node/list.ts";
import PlanCommand from "./plan.ts";
import Status from "./status.ts";
import Validate from "./validate.ts";
import VmBoot from "./vm/boot.ts";
import VmConsole from "./vm/console.ts";
import VmDelete from "./vm/delete.ts";
import VmInfo from "./vm/info.ts";
import VmListCommand from "./vm/list.ts";
import VmLogs from "./vm/logs.ts";
import VmPause from "./vm/pause.ts";
import VmPurge from "./vm/purge.ts";
import VmReboot from "./vm/reboot.ts";
import VmResume from "./vm/resume.ts";
import VmShutdown from "./vm/shutdown.ts";

export const COMMANDS = {
  init: Init,
  validate: Validate,
  plan: PlanCommand,
  apply: Apply,
  demo: DemoCommand,
  destroy: Destroy,
  status: Status,
  diff: Diff,
  agent: AgentCommand,
  "vm:list": VmListCommand,
  "vm:info": VmInfo,
  "vm:boot": VmBoot,
  "vm:shutdown": VmShutdown,
  "vm:reboot": VmReboot,
  "vm:pause": VmPause,
  "vm:resume": VmResume,
  "vm:delete": VmDelete,
  "vm:purge": VmPurge,
  "vm:console": VmConsole,
  "vm:logs": VmLogs,
  "node:list": NodeListCommand,
};
