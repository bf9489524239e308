import { Args, Flags } from "@oclif/core";
import { OdoroboError } from "../model/errors.ts";
import { OdoroboCommand } from "./cli/base-command.ts";
import { listenForInterrupts } from "./cli/interrupt.ts";

export default class DemoCommand extends OdoroboCommand {
  static override summary =
    "show it all on this machine: three agents, a fleet in git, real guests where QEMU is installed";
  static override description =
    "Plays in a scratch folder, on loopback, and cleans up behind itself. With --keep it leaves agents and guests for you to play with.";
  static override enableJsonFlag = false;
  static override args = {
    story: Args.string({
      description: "gateway: a team that pushes, with a repository, a gateway and a forge",
      options: ["gateway"],
    }),
  };
  static override flags = {
    keep: Flags.boolean({ summary: "leave it running and print what to try" }),
    end: Flags.string({ summary: "end a demo that was kept", helpValue: "FOLDER", exclusive: ["keep"] }),
  };

  override async run(): Promise<void> {
    const { args, flags } = await this.parse(DemoCommand);
    if (args.story !== undefined && (flags.keep || flags.end !== undefined))
      throw new OdoroboError("USAGE", "a gateway's story is played to its end", { hint: "odorobo demo gateway" });
    using interrupts = listenForInterrupts();
    const { endKeptDemo, runDemo } = await import("../demo/run-demo.ts");
    const command = [process.execPath, process.argv[1] ?? ""] as const;
    const { print } = this.screen;
    if (flags.end !== undefined) return await endKeptDemo(flags.end, command, print);
    if (args.story === "gateway") {
      const { runGatewayDemo } = await import("../demo/gateway-demo.ts");
      return await runGatewayDemo({ command, signal: interrupts.first, print });
    }
    await runDemo({ command, keep: flags.keep, signal: interrupts.first, print });
  }
}
