import type { NodeList } from "../../report/lists.ts";
import { toNodeStatus } from "../../report/status-document.ts";
import { renderNodes } from "../../report/status-text.ts";
import { OdoroboCommand } from "../cli/base-command.ts";
import { listenForInterrupts } from "../cli/interrupt.ts";
import { nodesFlags, reach } from "../cli/vm-action.ts";

export default class NodeListCommand extends OdoroboCommand {
  static override summary = "list the nodes, what they hold and whether they answer";
  static override description = "Exits 0, or 4 when some nodes did not answer.";
  static override flags = nodesFlags;
  static override hiddenAliases = ["node:ls"];

  override async run(): Promise<NodeList> {
    const { flags } = await this.parse(NodeListCommand);
    using interrupts = listenForInterrupts();
    await using reached = await reach(flags, interrupts.first);
    const desired = new Map(reached.fleet?.desired.nodes.map((node) => [node.name, node]));
    const nodes = reached.observed.nodes.map((node) => toNodeStatus(node, desired.get(node.name), reached.observed.at));
    this.screen.print(renderNodes(nodes, this.screen));
    process.exitCode = nodes.some((node) => node.reach === "silent") ? 4 : 0;
    return { kind: "NodeList", version: 1, nodes };
  }
}
