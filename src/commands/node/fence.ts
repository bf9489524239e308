import { Flags } from "@oclif/core";
import type { NodeEdit } from "../../report/node-edit.ts";
import { OdoroboCommand } from "../cli/base-command.ts";
import { editFlags, editNode, nodeArg } from "../cli/edit-node.ts";
import { agentFlags, toAccess } from "../cli/flags.ts";
import { listenForInterrupts } from "../cli/interrupt.ts";
import { requireWord } from "../cli/screen/require-word.ts";

export default class NodeFence extends OdoroboCommand {
  static override summary = "say in the manifests that a silent node is off and stays off";
  static override description =
    "The one way its VMs may be started elsewhere, so make sure: pull its plug or its network first. Writes fenced: true into the Node's manifest, after asking whether the node really is silent (refused while anybody answers there). Take it out again before the node comes back.";
  static override args = nodeArg;
  static override flags = {
    ...editFlags,
    confirm: Flags.boolean({ summary: "you have made sure that it is off" }),
    ...agentFlags,
  };
  static override examples = ["<%= config.bin %> node fence n3 --confirm"];

  override async run(): Promise<NodeEdit> {
    const { args, flags } = await this.parse(NodeFence);
    using interrupts = listenForInterrupts();
    const { requireSilence } = await import("../../turn/require-silence.ts");
    return await editNode(this.screen, {
      flags: { ...flags, yes: flags.yes || flags.confirm },
      node: args.node,
      edits: () => [{ key: "fenced", value: true }],
      what: `fence ${args.node}`,
      isSo: `${args.node} is fenced`,
      check: async ({ node, fleet }) => {
        await requireSilence(node, fleet, toAccess(flags), interrupts.first);
        if (!flags.print && !flags.confirm) await requireWord(args.node, interrupts.first);
      },
      signal: interrupts.first,
    });
  }
}
