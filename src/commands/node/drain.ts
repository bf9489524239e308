import { Flags } from "@oclif/core";
import type { EditValue } from "../../manifest/text/edit-spec.ts";
import { OdoroboError } from "../../model/errors.ts";
import { systemClock } from "../../platform/clock.ts";
import type { NodeEdit } from "../../report/node-edit.ts";
import { OdoroboCommand } from "../cli/base-command.ts";
import { editFlags, editNode, nodeArg } from "../cli/edit-node.ts";
import { listenForInterrupts } from "../cli/interrupt.ts";
import { parseMoment } from "../cli/parse-moment.ts";

export default class NodeDrain extends OdoroboCommand {
  static override summary = "say in the manifests that a node is to be worked on";
  static override description =
    "Writes maintenance into the Node's manifest, after showing it; comments and everything else stay as they are. While it is under way the node takes no new VMs, and plans say what becomes of those it has.";
  static override args = nodeArg;
  static override flags = {
    ...editFlags,
    from: Flags.string({ summary: "when it begins: a time, or how long from now (default: at once)", helpValue: "2h" }),
    until: Flags.string({ summary: "when it is over: a time, or how long from now", helpValue: "2h" }),
    reason: Flags.string({ summary: "why, for people", helpValue: "TEXT" }),
  };
  static override examples = ["<%= config.bin %> node drain n1 --until 4h --reason 'new disks'"];

  override async run(): Promise<NodeEdit> {
    const { args, flags } = await this.parse(NodeDrain);
    using interrupts = listenForInterrupts();
    const now = systemClock.now();
    const from = flags.from === undefined ? null : parseMoment(flags.from, "--from", now);
    const until = flags.until === undefined ? null : parseMoment(flags.until, "--until", now);
    if (until !== null && Date.parse(until) <= Date.parse(from ?? now))
      throw new OdoroboError("USAGE", "this maintenance would be over before it begins", {
        hint: `--until is ${until}, and it begins at ${from ?? now}`,
      });
    if (flags.reason !== undefined && flags.reason.length > MAX_REASON)
      throw new OdoroboError("USAGE", `a reason has at most ${MAX_REASON} characters`);
    const said = {
      ...(from === null ? {} : { from }),
      ...(until === null ? {} : { until }),
      ...(flags.reason === undefined ? {} : { reason: flags.reason }),
    };
    const value: EditValue = Object.keys(said).length === 0 ? true : said;
    return await editNode(this.screen, {
      flags,
      node: args.node,
      edits: () => [{ key: "maintenance", value }],
      what: `drain ${args.node}`,
      isSo: `${args.node} is in this maintenance`,
      signal: interrupts.first,
    });
  }
}

/** As the manifests' schema has it. */
const MAX_REASON = 200;
