import { Args } from "@oclif/core";
import { OdoroboError } from "../../model/errors.ts";
import type { ObservedNode } from "../../model/observed-state.ts";
import { type NodeInfo, renderNodeInfo, toNodeInfo } from "../../report/node-info.ts";
import { OdoroboCommand } from "../cli/base-command.ts";
import { listenForInterrupts } from "../cli/interrupt.ts";
import { nodesFlags, reach } from "../cli/vm-action.ts";

export default class NodeInfoCommand extends OdoroboCommand {
  static override summary = "show what one agent says of itself, its server and its hypervisors";
  static override description = "Exits 0, or 4 when the node did not answer.";
  static override args = { node: Args.string({ description: "name of the node (default: the only one)" }) };
  static override flags = nodesFlags;
  static override examples = ["<%= config.bin %> node info n1", "<%= config.bin %> node info --agent http://n1:8890"];

  override async run(): Promise<NodeInfo> {
    const { args, flags } = await this.parse(NodeInfoCommand);
    using interrupts = listenForInterrupts();
    const asked = flags.agent === undefined && args.node !== undefined ? { ...flags, node: args.node } : flags;
    await using reached = await reach(asked, interrupts.first);
    const node = chooseNode(reached.observed.nodes, args.node);
    const desired = reached.fleet?.desired.nodes.find((each) => each.name === node.name);
    const info = toNodeInfo(node, desired, reached.observed.at);
    this.screen.print(renderNodeInfo(info, { colour: this.screen.colour }));
    process.exitCode = node.reach === "silent" ? 4 : 0;
    return info;
  }
}

function chooseNode(nodes: readonly ObservedNode[], name: string | undefined): ObservedNode {
  const names = nodes.map((node) => node.name).join(", ") || "none";
  const [first, ...others] = name === undefined ? nodes : nodes.filter((node) => node.name === name);
  if (first === undefined)
    throw new OdoroboError("NOT_FOUND", `there is no node ${name ?? "here"}`, { hint: `there is ${names}` });
  if (others.length === 0) return first;
  throw new OdoroboError("USAGE", "which node?", { hint: `there is ${names}: odorobo node info NAME` });
}
