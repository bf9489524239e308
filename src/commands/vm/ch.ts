import { Args, Flags } from "@oclif/core";
import { OdoroboError } from "../../model/errors.ts";
import { vmName } from "../../model/names.ts";
import type { HypervisorAnswer, HypervisorCall } from "../../wire/by-hand.ts";
import { OdoroboCommand } from "../cli/base-command.ts";
import { listenForInterrupts } from "../cli/interrupt.ts";
import { readCallBody } from "../cli/read-call-body.ts";
import { nodesFlags, reach, vmArgs } from "../cli/vm-action.ts";

/** The calls of the API that only look; all others are PUT. */
const LOOKS = new Set(["vm.info", "vm.counters", "vmm.ping"]);

export default class VmCh extends OdoroboCommand {
  static override summary = "call the API of a guest's Cloud Hypervisor itself";
  static override description =
    "Prints what it answers; exits 1 for an error of its. What it changes goes around odorobo: the next plan shows it as drift. Your role decides which calls you may make; where a command of odorobo does the same with checks, use that.";
  static override args = {
    ...vmArgs,
    path: Args.string({ description: "such as vm.info or vm.resize", required: true }),
    body: Args.string({ description: "JSON for the call" }),
  };
  static override flags = {
    method: Flags.string({
      char: "X",
      summary: "another method than GET for vm.info, vm.counters and vmm.ping, and PUT for the rest",
      options: ["GET", "PUT", "POST", "DELETE", "PATCH"],
    }),
    body: Flags.string({ summary: "file with JSON for the call, or - for stdin", helpValue: "FILE" }),
    ...nodesFlags,
  };
  static override examples = [
    "<%= config.bin %> vm ch web-1 vm.info",
    `<%= config.bin %> vm ch web-1 vm.resize '{"desired_vcpus": 2}'`,
  ];

  override async run(): Promise<unknown> {
    const { args, flags } = await this.parse(VmCh);
    using interrupts = listenForInterrupts();
    const path = args.path.replace(/^\/*(api\/v1\/+)?/, "");
    const body = await readCallBody(args.body, flags.body);
    const method = (flags.method as HypervisorCall["method"] | undefined) ?? (LOOKS.has(path) ? "GET" : "PUT");
    await using reached = await reach(flags, interrupts.first);
    const { findGuest } = await import("../../turn/find-vm.ts");
    const { node, vm } = findGuest(vmName(args.vm), reached.observed);
    const call = { method, path: encodeURI(path), body };
    const answer = await reached.agents.of(node).callHypervisor(vm.name, call, interrupts.first);
    const value = toValue(answer);
    if (answer.status >= 400) throw toError(answer, value);
    if (value === null) this.screen.note(`${method} ${path}: done (${answer.status})`);
    else this.screen.print(typeof value === "string" ? value : JSON.stringify(value, null, 2));
    return value;
  }
}

/** Null: it had nothing to say. */
function toValue({ body }: HypervisorAnswer): unknown {
  const words = Buffer.from(body).toString();
  if (words === "") return null;
  try {
    return JSON.parse(words, asSaid);
  } catch {
    return words;
  }
}

/** Its counters go to 2^64-1: what a number of ours cannot hold is passed on in its own digits. */
const asSaid = (_key: string, value: unknown, { source }: { readonly source?: string } = {}): unknown =>
  typeof value === "number" && source !== undefined && /^-?\d+$/.test(source) && !Number.isSafeInteger(value)
    ? (JSON as typeof JSON & { rawJSON(digits: string): unknown }).rawJSON(source)
    : value;

/** Its errors are lists, from the general to the particular. */
function toError({ status }: HypervisorAnswer, value: unknown): OdoroboError {
  const said = Array.isArray(value) ? value.map(String).join(": ") : value === null ? "" : JSON.stringify(value);
  const code = status === 429 ? "HYPERVISOR_BUSY" : "HYPERVISOR_FAILED";
  return new OdoroboError(code, `Cloud Hypervisor answered ${status}${said === "" ? "" : `: ${said}`}`);
}
