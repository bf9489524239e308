import { askDeletion, renderDeletion } from "../../report/deletion-text.ts";
import type { OperationResult } from "../../wire/operations.ts";
import { OdoroboCommand } from "../cli/base-command.ts";
import { isNamedIn, refuseProtected } from "../cli/deletion-checks.ts";
import { confirmFlags } from "../cli/flags.ts";
import { listenForInterrupts } from "../cli/interrupt.ts";
import { confirm } from "../cli/screen/confirm.ts";
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
