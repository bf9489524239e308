import { OdoroboError } from "../../model/errors.ts";
import type { VmReport } from "../../model/observed-state.ts";
import { askDeletion, renderDeletion } from "../../report/deletion-text.ts";
import type { Reached } from "../../turn/reach-nodes.ts";
import type { OperationResult } from "../../wire/operations.ts";
import { OdoroboCommand } from "../cli/base-command.ts";
import { confirm } from "../cli/confirm.ts";
import { confirmFlags } from "../cli/flags.ts";
import { listenForInterrupts } from "../cli/interrupt.ts";
import { actOnVm, graceFlag, nodesFlags, toGraceSeconds, vmArgs } from "../cli/vm-action.ts";

export default class VmDelete extends OdoroboCommand {
  static override summary = "stop a VM and remove it from its node; its disks are kept for a while";
  static override description =
    "Disks stay until the VM's retention ends (retain.disks) or vm purge. Protected VMs stay. Asks first, unless --yes. A VM that the manifests name comes back with the next apply.";
  static override args = vmArgs;
  static override flags = { ...graceFlag, ...confirmFlags, ...nodesFlags };
  static override examples = [
    "<%= config.bin %> vm delete web-1",
    "<%= config.bin %> vm delete web-1 --agent http://127.0.0.1:8890 --yes",
  ];

  override async run(): Promise<OperationResult> {
    const { args, flags } = await this.parse(VmDelete);
    using interrupts = listenForInterrupts();
    let isNamed: boolean | null = null;
    const action = await actOnVm({
      vm: args.vm,
      flags,
      operation: { kind: "delete", graceSeconds: toGraceSeconds(flags.grace) },
      doing: "deleting",
      signal: interrupts.first,
      async confirm(found, reached) {
        refuseProtected(found.vm);
        isNamed = isNamedIn(reached, found.vm);
        const question = { text: askDeletion(found.vm, found.node), answer: "yes", what: `delete ${found.vm.name}` };
        const hint = "look at it with odorobo vm info, then give --yes";
        await confirm({ ...question, hint }, { yes: flags.yes, signal: interrupts.first });
      },
    });
    this.screen.print(renderDeletion(action, isNamed, { colour: this.screen.colour }));
    return action.result;
  }
}

/** The agent refuses it too; nobody is asked a question whose answer does not count. */
function refuseProtected(vm: VmReport): void {
  if (!vm.spec.protect) return;
  throw new OdoroboError("PROTECTED", `${vm.name} is protected: its spec was last applied with protect: true`, {
    hint: "apply it with protect: false first, then delete it",
  });
}

/** Null: the manifests at hand, if any, are not those that it came from. */
const isNamedIn = ({ fleet }: Reached, vm: VmReport): boolean | null =>
  fleet === null || fleet.desired.fleet.name !== vm.fleet
    ? null
    : fleet.desired.vms.some((each) => each.name === vm.name);
