import { askDestruction, renderDeletion } from "../../report/deletion-text.ts";
import type { OperationResult } from "../../wire/operations.ts";
import { OdoroboCommand } from "../cli/base-command.ts";
import { isNamedIn, refuseProtected } from "../cli/deletion-checks.ts";
import { confirmFlags } from "../cli/flags.ts";
import { listenForInterrupts } from "../cli/interrupt.ts";
import { confirm } from "../cli/screen/confirm.ts";
import { actOnVm, nodesFlags, vmArgs } from "../cli/vm-action.ts";

export default class VmDestroy extends OdoroboCommand {
  static override summary = "cut a guest off and remove its VM from its node, at once";
  static override description =
    "As vm delete, without asking the guest to power off: what it has not written to its disks is lost. Disks of the agent's own are kept until the VM's retention ends, others are not touched. Protected VMs stay. Asks first, unless --yes.";
  static override args = vmArgs;
  static override flags = { ...confirmFlags, ...nodesFlags };
  static override examples = ["<%= config.bin %> vm destroy try-1 --yes"];

  override async run(): Promise<OperationResult> {
    const { args, flags } = await this.parse(VmDestroy);
    using interrupts = listenForInterrupts();
    let isNamed: boolean | null = null;
    const action = await actOnVm({
      vm: args.vm,
      flags,
      operation: { kind: "delete", graceSeconds: 0 },
      doing: "destroying",
      signal: interrupts.first,
      async confirm(found, reached) {
        refuseProtected(found.vm);
        isNamed = isNamedIn(reached, found.vm);
        const question = {
          text: askDestruction(found.vm, found.node),
          answer: "yes",
          what: `destroy ${found.vm.name}`,
        };
        const hint = "look at it with odorobo vm info, then give --yes";
        await confirm({ ...question, hint }, { yes: flags.yes, signal: interrupts.first });
      },
    });
    this.screen.print(renderDeletion(action, isNamed, { colour: this.screen.colour }));
    return action.result;
  }
}
