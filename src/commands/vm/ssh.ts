import { Flags } from "@oclif/core";
import { vmName } from "../../model/names.ts";
import { OdoroboCommand } from "../cli/base-command.ts";
import { guestFlags, toGuestFlags } from "../cli/guest/guest-flags.ts";
import { listenForInterrupts } from "../cli/interrupt.ts";
import { nodesFlags, reach, vmArgs } from "../cli/vm-action.ts";

export default class VmSsh extends OdoroboCommand {
  static override summary = "log in to a guest";
  static override description =
    "By OpenSSH's client, with your keys and your configuration: through a port of its node that leads to it, by an address of its own, or through its node. " +
    "The guest's host key is the one that its first boot said on its serial line; where it said none, who answers first is believed, and what was compared is told. " +
    "Exits as ssh does: with the command's own code, or 255.";
  static override enableJsonFlag = false;
  // What follows -- is the guest's.
  static override strict = false;
  static override args = vmArgs;
  static override flags = {
    ...guestFlags,
    quiet: Flags.boolean({ char: "q", summary: "do not say which way is taken and what was compared" }),
    ...nodesFlags,
  };
  static override examples = ["<%= config.bin %> vm ssh web-1", "<%= config.bin %> vm ssh web-1 -- systemctl status"];

  override async run(): Promise<void> {
    const { args, flags, argv } = await this.parse(VmSsh);
    const command = (argv as string[]).slice(1);
    using interrupts = listenForInterrupts();
    await using reached = await reach(flags, interrupts.first);
    const { findGuest } = await import("../../turn/find-vm.ts");
    const { describeTrust, sshTarget } = await import("../cli/guest/reach-guest.ts");
    const { guestUser, sshOptions } = await import("../cli/guest/ssh-options.ts");
    const { runClient } = await import("../cli/guest/run-client.ts");
    const found = findGuest(vmName(args.vm), reached.observed);
    const target = await sshTarget(reached, found, toGuestFlags(flags), interrupts.first);
    if (!flags.quiet) this.screen.note(describeTrust(found.vm.name, target));
    const user = flags.user ?? guestUser(found.vm.spec);
    process.exitCode = await runClient("ssh", [
      ...sshOptions(target),
      ...["-p", String(target.way.port)],
      ...(user === null ? [] : ["-l", user]),
      ...[target.way.host, ...(command.length === 0 ? [] : ["--", ...command])],
    ]);
  }
}
