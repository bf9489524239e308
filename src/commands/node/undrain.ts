import type { NodeEdit } from "../../report/node-edit.ts";
import { OdoroboCommand } from "../cli/base-command.ts";
import { editFlags, editNode, nodeArg } from "../cli/edit-node.ts";
import { listenForInterrupts } from "../cli/interrupt.ts";

export default class NodeUndrain extends OdoroboCommand {
  static override summary = "take a node's maintenance out of the manifests again";
  static override description = "Takes maintenance out of the Node's manifest, after showing it; a cordon stays.";
  static override args = nodeArg;
  static override flags = editFlags;

  override async run(): Promise<NodeEdit> {
    const { args, flags } = await this.parse(NodeUndrain);
    using interrupts = listenForInterrupts();
    return await editNode(this.screen, {
      flags,
      node: args.node,
      edits: () => [{ key: "maintenance", value: null }],
      what: `undrain ${args.node}`,
      isSo: `${args.node} is in no maintenance`,
      signal: interrupts.first,
    });
  }
}
