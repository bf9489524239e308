import { Args } from "@oclif/core";
import { OdoroboError } from "../../model/errors.ts";
import { vmName } from "../../model/names.ts";
import { OdoroboCommand } from "../cli/base-command.ts";
import { guestFlags, toGuestFlags } from "../cli/guest/guest-flags.ts";
import { listenForInterrupts } from "../cli/interrupt.ts";
import { nodesFlags, reach } from "../cli/vm-action.ts";

export default class VmCp extends OdoroboCommand {
  static override summary = "copy files to a guest, or from it";
  static override description =
    "By OpenSSH's scp, the way that vm ssh takes. VM:PATH is in the guest; folders go with what is in them. Exits as scp does.";
  static override enableJsonFlag = false;
  static override args = {
    from: Args.string({ description: "a path, or VM:PATH", required: true }),
    to: Args.string({ description: "a path, or VM:PATH", required: true }),
  };
  static override flags = { ...guestFlags, ...nodesFlags };
  static override examples = [
    "<%= config.bin %> vm cp ./site web-1:/srv/",
    "<%= config.bin %> vm cp web-1:/var/log/syslog .",
  ];

  override async run(): Promise<void> {
    const { args, flags } = await this.parse(VmCp);
    const [from, to] = [inGuest(args.from), inGuest(args.to)];
    const guest = from ?? to;
    if (guest === null || (from !== null && to !== null))
      throw new OdoroboError("USAGE", "one of the two is in a guest, and the other is here", {
        hint: "such as odorobo vm cp ./site web-1:/srv/",
      });
    using interrupts = listenForInterrupts();
    await using reached = await reach(flags, interrupts.first);
    const { findGuest } = await import("../../turn/find-vm.ts");
    const { sshTarget } = await import("../cli/guest/reach-guest.ts");
    const { guestUser, sshOptions } = await import("../cli/guest/ssh-options.ts");
    const { runClient } = await import("../cli/guest/run-client.ts");
    const found = findGuest(vmName(guest.vm), reached.observed);
    const target = await sshTarget(reached, found, toGuestFlags(flags), interrupts.first);
    const user = flags.user ?? guestUser(found.vm.spec);
    const { host } = target.way;
    const there = `${user === null ? "" : `${user}@`}${host.includes(":") ? `[${host}]` : host}:${guest.path}`;
    process.exitCode = await runClient("scp", [
      ...sshOptions(target),
      ...["-r", "-P", String(target.way.port), "--"],
      ...(from !== null ? [there, here(args.to)] : [here(args.from), there]),
    ]);
  }
}

/** `web-1:/srv`; null: it is here. A path with a colon is told by the slash before it, as scp does. */
function inGuest(text: string): { readonly vm: string; readonly path: string } | null {
  const [, vm, path] = /^([a-z0-9][a-z0-9-]*):(.*)$/s.exec(text) ?? [];
  return vm === undefined || path === undefined ? null : { vm, path };
}

/** scp takes what has a colon for another host's. */
const here = (path: string): string => (path.includes(":") && !/^\.{0,2}\//.test(path) ? `./${path}` : path);
