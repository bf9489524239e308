import type { NodeEdit } from "../../report/node-edit.ts";
import { renderReturned } from "../../report/what-if/unfence-text.ts";
import { OdoroboCommand } from "../cli/base-command.ts";
import { editFlags, editNode, nodeArg } from "../cli/edit-node.ts";
import { agentFlags } from "../cli/flags.ts";
import { listenForInterrupts } from "../cli/interrupt.ts";
import { reach } from "../cli/vm-action.ts";

export default class NodeUnfence extends OdoroboCommand {
  static override summary = "take back in the manifests that a node is off";
  static override description =
    "Takes fenced out of the Node's manifest, after showing it, and says what the node is found with: a VM that was started elsewhere meanwhile and is there, too, is touched by no plan until one of the two is deleted.";
  static override args = nodeArg;
  static override flags = { ...editFlags, ...agentFlags };
  static override examples = ["<%= config.bin %> node unfence n3"];

  override async run(): Promise<NodeEdit> {
    const { args, flags } = await this.parse(NodeUnfence);
    using interrupts = listenForInterrupts();
    return await editNode(this.screen, {
      flags,
      node: args.node,
      edits: () => [{ key: "fenced", value: null }],
      what: `unfence ${args.node}`,
      isSo: `${args.node} is not fenced`,
      check: async ({ node, fleet }) => {
        const { findReturned } = await import("../../turn/find-returned.ts");
        await using reached = await reach(flags, interrupts.first);
        const returned = findReturned(node.name, fleet.desired.fleet.name, reached.observed);
        for (const line of renderReturned(returned)) this.screen.note(line);
      },
      signal: interrupts.first,
    });
  }
}
