/**
 * Every command. oclif loads this whole table, so a command's file imports nothing heavy at its top:
 * what `run` needs it imports itself (`await import(…)`). That keeps `--help` and the first line of output fast.
 */
import AgentInstallCommand from "./agent/install.ts";
import AgentTokenCommand from "./agent/token.ts";
import AgentUninstallCommand from "./agent/uninstall.ts";
import AgentCommand from "./agent.ts";
import Apply from "./apply.ts";
import Check from "./check.ts";
import Completion from "./completion.ts";
import DemoCommand from "./demo.ts";
import Destroy from "./destroy.ts";
import Diff from "./diff.ts";
import Doctor from "./doctor.ts";
import Explain from "./explain.ts";
import GatewayCheckCommand from "./gateway/check.ts";
import GatewayInstallCommand from "./gateway/install.ts";
import GatewayStatusCommand from "./gateway/status.ts";
import GatewayUninstallCommand from "./gateway/uninstall.ts";
import GatewayCommand from "./gateway.ts";
import ImageInfo from "./image/info.ts";
import ImageListCommand from "./image/list.ts";
import ImagePruneCommand from "./image/prune.ts";
import ImagePullCommand from "./image/pull.ts";
import Import from "./import.ts";
import Init from "./init.ts";
import NodeCordon from "./node/cordon.ts";
import NodeDrain from "./node/drain.ts";
import NodeFence from "./node/fence.ts";
import NodeInfoCommand from "./node/info.ts";
import NodeListCommand from "./node/list.ts";
import NodeUncordon from "./node/uncordon.ts";
import NodeUndrain from "./node/undrain.ts";
import NodeUnfence from "./node/unfence.ts";
import PlanCommand from "./plan.ts";
import RebalanceCommand from "./rebalance.ts";
import RunsAbort from "./runs/abort.ts";
import RunsApprove from "./runs/approve.ts";
import RunsAttach from "./runs/attach.ts";
import RunsList from "./runs/list.ts";
import RunsPause from "./runs/pause.ts";
import RunsRefuse from "./runs/refuse.ts";
import RunsResume from "./runs/resume.ts";
import RunsShow from "./runs/show.ts";
import SchemaCommand from "./schema.ts";
import Simulate from "./simulate.ts";
import Snapshot from "./snapshot.ts";
import Status from "./status.ts";
import Validate from "./validate.ts";
import VmAttach from "./vm/attach.ts";
import VmBoot from "./vm/boot.ts";
import VmCh from "./vm/ch.ts";
import VmConsole from "./vm/console.ts";
import VmCoredump from "./vm/coredump.ts";
import VmCounters from "./vm/counters.ts";
import VmCp from "./vm/cp.ts";
import VmCreate from "./vm/create.ts";
import VmDelete from "./vm/delete.ts";
import VmDestroy from "./vm/destroy.ts";
import VmDetach from "./vm/detach.ts";
import VmInfo from "./vm/info.ts";
import VmListCommand from "./vm/list.ts";
import VmLogs from "./vm/logs.ts";
import VmMigrate from "./vm/migrate.ts";
import VmMigrateReceive from "./vm/migrate-receive.ts";
import VmMigrateSend from "./vm/migrate-send.ts";
import VmNmi from "./vm/nmi.ts";
import VmPause from "./vm/pause.ts";
import VmPing from "./vm/ping.ts";
import VmPowerButton from "./vm/power-button.ts";
import VmPurge from "./vm/purge.ts";
import VmReboot from "./vm/reboot.ts";
import VmResize from "./vm/resize.ts";
import VmRestore from "./vm/restore.ts";
import VmResume from "./vm/resume.ts";
import VmShutdown from "./vm/shutdown.ts";
import VmSnapshot from "./vm/snapshot.ts";
import VmSpawn from "./vm/spawn.ts";
import VmSsh from "./vm/ssh.ts";
import VmWait from "./vm/wait.ts";
import Watch from "./watch.ts";

export const COMMANDS = {
  import: Import,
  init: Init,
  validate: Validate,
  plan: PlanCommand,
  apply: Apply,
  check: Check,
  rebalance: RebalanceCommand,
  watch: Watch,
  gateway: GatewayCommand,
  "gateway:check": GatewayCheckCommand,
  "gateway:install": GatewayInstallCommand,
  "gateway:uninstall": GatewayUninstallCommand,
  "gateway:status": GatewayStatusCommand,
  completion: Completion,
  demo: DemoCommand,
  destroy: Destroy,
  schema: SchemaCommand,
  simulate: Simulate,
  snapshot: Snapshot,
  status: Status,
  diff: Diff,
  explain: Explain,
  doctor: Doctor,
  agent: AgentCommand,
  "agent:install": AgentInstallCommand,
  "agent:uninstall": AgentUninstallCommand,
  "agent:token": AgentTokenCommand,
  "runs:list": RunsList,
  "runs:show": RunsShow,
  "runs:attach": RunsAttach,
  "runs:approve": RunsApprove,
  "runs:refuse": RunsRefuse,
  "runs:pause": RunsPause,
  "runs:resume": RunsResume,
  "runs:abort": RunsAbort,
  "vm:list": VmListCommand,
  "vm:info": VmInfo,
  "vm:boot": VmBoot,
  "vm:shutdown": VmShutdown,
  "vm:reboot": VmReboot,
  "vm:pause": VmPause,
  "vm:resume": VmResume,
  "vm:delete": VmDelete,
  "vm:purge": VmPurge,
  "vm:ssh": VmSsh,
  "vm:cp": VmCp,
  "vm:wait": VmWait,
  "vm:console": VmConsole,
  "vm:logs": VmLogs,
  "vm:attach": VmAttach,
  "vm:coredump": VmCoredump,
  "vm:detach": VmDetach,
  "vm:migrate": VmMigrate,
  "vm:migrate-receive": VmMigrateReceive,
  "vm:migrate-send": VmMigrateSend,
  "vm:nmi": VmNmi,
  "vm:power-button": VmPowerButton,
  "vm:resize": VmResize,
  "vm:restore": VmRestore,
  "vm:snapshot": VmSnapshot,
  "vm:ch": VmCh,
  "vm:counters": VmCounters,
  "vm:create": VmCreate,
  "vm:destroy": VmDestroy,
  "vm:ping": VmPing,
  "vm:spawn": VmSpawn,
  "image:list": ImageListCommand,
  "image:info": ImageInfo,
  "image:pull": ImagePullCommand,
  "image:prune": ImagePruneCommand,
  "node:list": NodeListCommand,
  "node:info": NodeInfoCommand,
  "node:cordon": NodeCordon,
  "node:uncordon": NodeUncordon,
  "node:drain": NodeDrain,
  "node:undrain": NodeUndrain,
  "node:fence": NodeFence,
  "node:unfence": NodeUnfence,
};
