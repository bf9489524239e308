import type { NodeEdit } from "../../report/node-edit.ts";
import { OdoroboCommand } from "../cli/base-command.ts";
import { editFlags, editNode, nodeArg } from "../cli/edit-node.ts";
import { listenForInterrupts } from "../cli/interrupt.ts";

export default class NodeUncordon extends OdoroboCommand {
  static override summary = "take a node's cordon and maintenance out of the manifests again";
  static override description = "Takes cordoned and maintenance out of the Node's manifest, after showing it.";
  static override args = nodeArg;
  static override flags = editFlags;

  override async run(): Promise<NodeEdit> {
    const { args, flags } = await this.parse(NodeUncordon);
    using interrupts = listenForInterrupts();
    return await editNode(this.screen, {
      flags,
      node: args.node,
      edits: () => [
        { key: "cordoned", value: null },
        { key: "maintenance", value: null },
      ],
      what: `uncordon ${args.node}`,
      isSo: `${args.node} takes new VMs`,
      signal: interrupts.first,
    });
  }
}
