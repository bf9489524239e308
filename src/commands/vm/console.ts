import { Flags } from "@oclif/core";
import { OdoroboError } from "../../model/errors.ts";
import { type VmName, vmName } from "../../model/names.ts";
import type { ObservedState } from "../../model/observed-state.ts";
import { safeLine } from "../../report/words/safe-text.ts";
import { OdoroboCommand } from "../cli/base-command.ts";
import { DEFAULT_ESCAPE, parseEscapeKey } from "../cli/console/escape-keys.ts";
import type { ConsoleOutcome } from "../cli/console/follow-console.ts";
import { makeRaw } from "../cli/console/raw-terminal.ts";
import { listenForInterrupts } from "../cli/interrupt.ts";
import { stdoutClosed, terminalWindow, writeBytes } from "../cli/screen/terminal.ts";
import { nodesFlags, reach, vmArgs } from "../cli/vm-action.ts";

export default class VmConsole extends OdoroboCommand {
  static override summary = "connect this terminal to a guest's serial line";
  static override description =
    "Ctrl-] then . leaves it; the guest goes on. On a terminal it stays when the guest reboots or is off, when its agent restarts and when it moves to another node, and says so. In a pipe it lasts until the guest is off, nobody reads its output, or Ctrl-C. " +
    "Exits 0, or 1 when the connection was lost.";
  static override enableJsonFlag = false;
  static override args = vmArgs;
  static override flags = {
    follow: Flags.boolean({
      summary: "stay when the guest is off or its agent away (default: on a terminal)",
      allowNo: true,
    }),
    "read-only": Flags.boolean({ summary: "look, and send nothing that is typed", default: false }),
    escape: Flags.string({
      summary: "the key that is for odorobo: a control key, a character at the beginning of a line (~), or none",
      default: DEFAULT_ESCAPE,
      helpValue: "KEY",
    }),
    ...nodesFlags,
  };
  static override examples = [
    "<%= config.bin %> vm console web-1",
    "echo uptime | <%= config.bin %> vm console web-1 --agent http://127.0.0.1:8890",
  ];

  override async run(): Promise<void> {
    const { args, flags } = await this.parse(VmConsole);
    using interrupts = listenForInterrupts();
    const escapeKey = parseEscapeKey(flags.escape);
    const signal = AbortSignal.any([interrupts.first, stdoutClosed]);
    const keyboard = process.stdin;
    const options = { follow: flags.follow ?? keyboard.isTTY === true, readonly: flags["read-only"] };
    const name = vmName(args.vm);
    await using reached = await reach(flags, signal);
    const { findGuest } = await import("../../turn/find-vm.ts");
    const { followConsole } = await import("../cli/console/follow-console.ts");
    let isFirst = true;
    using _raw = makeRaw(keyboard, process.stdout);
    const outcome = await followConsole({
      vm: name,
      ...options,
      escapeKey,
      keyboard,
      signal,
      async connect() {
        const observed = isFirst ? reached.observed : await reached.look(signal);
        if (!isFirst) refuseSilence(name, observed);
        isFirst = false;
        const { node } = findGuest(name, observed);
        return { node, connection: await reached.agents.of(node).openConsole(name, signal, options) };
      },
      hasMoved:
        reached.fleet === null ? null : async (from) => findGuest(name, await reached.look(signal)).node !== from,
      display: writeBytes,
      tell: (line) => this.screen.note(keyboard.isTTY ? `\r\n[${safeLine(line)}]\r` : `[${safeLine(line)}]`),
      window: keyboard.isTTY ? terminalWindow(process.stdout) : null,
    });
    if (outcome.because === "guest-off") this.screen.note(`\n${safeLine(outcome.message)}`);
    else refuseLoss(outcome);
  }
}

/** A guest whose node does not answer is not gone: throws AGENT_UNREACHABLE, which one tries again after. */
function refuseSilence(name: VmName, { nodes }: ObservedState): void {
  const isSeen = nodes.some((node) => node.reach === "answered" && node.report.vms.some((vm) => vm.name === name));
  const silent = nodes.find((node) => node.reach === "silent");
  if (isSeen || silent === undefined) return;
  throw new OdoroboError("AGENT_UNREACHABLE", `${silent.name} does not answer`);
}

function refuseLoss(outcome: ConsoleOutcome): void {
  switch (outcome.because) {
    case "agent-stopping":
      throw new OdoroboError("AGENT_STOPPING", outcome.message, { hint: "--follow connects again when it is back" });
    case "lost":
      throw new OdoroboError("AGENT_UNREACHABLE", outcome.message, { hint: "--follow connects again by itself" });
    case "refused":
      throw new OdoroboError("FORBIDDEN", outcome.message);
    case "left":
    case "closed-by-us":
    case "guest-off":
      return;
  }
}
