import type { NodeEdit } from "../../report/node-edit.ts";
import { OdoroboCommand } from "../cli/base-command.ts";
import { editFlags, editNode, nodeArg } from "../cli/edit-node.ts";
import { listenForInterrupts } from "../cli/interrupt.ts";

export default class NodeCordon extends OdoroboCommand {
  static override summary = "say in the manifests that a node takes no new VMs";
  static override description =
    "Writes cordoned: true into the Node's manifest, after showing it; comments and everything else stay as they are. Those it has stay.";
  static override args = nodeArg;
  static override flags = editFlags;

  override async run(): Promise<NodeEdit> {
    const { args, flags } = await this.parse(NodeCordon);
    using interrupts = listenForInterrupts();
    return await editNode(this.screen, {
      flags,
      node: args.node,
      edits: () => [{ key: "cordoned", value: true }],
      what: `cordon ${args.node}`,
      isSo: `${args.node} is cordoned`,
      signal: interrupts.first,
    });
  }
}
