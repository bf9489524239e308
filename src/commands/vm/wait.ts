import { Flags } from "@oclif/core";
import { OdoroboError } from "../../model/errors.ts";
import { vmName } from "../../model/names.ts";
import { systemClock } from "../../platform/clock.ts";
import { systemSleep } from "../../platform/sleep.ts";
import { OdoroboCommand } from "../cli/base-command.ts";
import { listenForInterrupts } from "../cli/interrupt.ts";
import { parseMilliseconds } from "../cli/parse-quantity.ts";
import { showWaiting } from "../cli/screen/show-waiting.ts";
import { nodesFlags, reach, vmArgs } from "../cli/vm-action.ts";

/** An agent asks its guests at each look, and a boot takes seconds. */
const LOOK_EVERY_MS = 500;

export default class VmWait extends OdoroboCommand {
  static override summary = "wait until a VM is as you need it";
  static override description =
    "ready: its probe succeeded, or it runs and has none. address: it is known where it can be reached. ssh: a server there says that it speaks SSH. stopped: no guest runs. " +
    "Exits 0 when it is so; when the time is over with 1, and what is missing. A node that does not answer meanwhile is asked again.";
  static override enableJsonFlag = false;
  static override args = vmArgs;
  static override flags = {
    for: Flags.option({ summary: "what to wait for", options: ["ready", "address", "ssh", "stopped"] as const })({
      default: "ready" as const,
    }),
    port: Flags.integer({ summary: "the guest's port, of ssh", default: 22, min: 1, max: 65_535, helpValue: "PORT" }),
    ...nodesFlags,
    // Of the waiting, and not of each agent's answer.
    timeout: Flags.string({ summary: "how long to wait", default: "5m", helpValue: "5m" }),
  };
  static override examples = ["<%= config.bin %> vm wait web-1 --for ssh --timeout 10m"];

  override async run(): Promise<void> {
    const { args, flags } = await this.parse(VmWait);
    const { findGuest } = await import("../../turn/find-vm.ts");
    const { whatIsMissing } = await import("../cli/guest/what-is-missing.ts");
    using interrupts = listenForInterrupts();
    const signal = interrupts.first;
    const name = vmName(args.vm);
    const until = systemClock.monotonicMs() + parseMilliseconds(flags.timeout, "--timeout");
    await using reached = await reach({ ...flags, timeout: undefined }, signal);
    using _waiting = showWaiting(`waiting until ${name} is ${WORDS[flags.for]}`, process.stderr);
    let { observed } = reached;
    for (;;) {
      const silent = observed.nodes.some((node) => node.reach === "silent");
      let missing = "its node does not answer";
      try {
        const found = findGuest(name, observed);
        const { address } = reached.agents.of(found.node);
        const still = await whatIsMissing(flags.for, found.vm, { address, port: flags.port }, signal);
        if (still === null) return;
        missing = still;
      } catch (error) {
        // It may be on the node that does not answer now.
        if (!(error instanceof OdoroboError && error.code === "NOT_FOUND" && silent)) throw error;
      }
      if (systemClock.monotonicMs() >= until)
        throw new OdoroboError(
          "GUEST_NOT_READY",
          `${name} is not ${WORDS[flags.for]} after ${flags.timeout}: ${missing}`,
          {
            hint: `look what it says: odorobo vm logs ${name}`,
          },
        );
      await systemSleep(LOOK_EVERY_MS, signal);
      observed = await reached.look(signal);
    }
  }
}

const WORDS = { ready: "ready", address: "known by an address", ssh: "open to SSH", stopped: "stopped" } as const;
