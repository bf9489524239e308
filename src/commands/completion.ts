import { Args, Flags } from "@oclif/core";
import { OdoroboCommand } from "./cli/base-command.ts";
import { toLocation } from "./cli/flags.ts";
import { listenForInterrupts } from "./cli/interrupt.ts";
import { printLine } from "./cli/screen/terminal.ts";

const MAKERS = {
  bash: async () => (await import("./cli/completion/bash.ts")).bashCompletion,
  zsh: async () => (await import("./cli/completion/bash.ts")).zshCompletion,
  fish: async () => (await import("./cli/completion/fish.ts")).fishCompletion,
} as const;

export default class Completion extends OdoroboCommand {
  static override summary = "print what completes odorobo's commands in a shell";
  static override description =
    "Source what it prints: names of commands, flags and, where a VM is meant, those of the manifests are completed. vms prints these names; mistakes in the manifests are not its business.";
  static override enableJsonFlag = false;
  static override args = {
    dialect: Args.string({ description: "the shell", options: [...Object.keys(MAKERS), "vms"], required: true }),
  };
  static override flags = {
    fleet: Flags.string({
      summary: "folder with the manifests (default: the current one)",
      helpValue: "FOLDER",
      env: "ODOROBO_FLEET",
    }),
  };
  static override examples = ["source <(<%= config.bin %> completion bash)"];

  override async run(): Promise<void> {
    const { args, flags } = await this.parse(Completion);
    if (args.dialect === "vms") return await this.#printVms(flags.fleet);
    const { completionCommands } = await import("./cli/completion/vocabulary.ts");
    const commands = completionCommands(this.config.commands);
    const make = await MAKERS[args.dialect as keyof typeof MAKERS]();
    printLine(make(commands).trimEnd());
  }

  /** Somebody is in the middle of a line: what goes wrong is nothing to tell there. */
  async #printVms(fleet: string | undefined): Promise<void> {
    using interrupts = listenForInterrupts();
    const { readFleet } = await import("../turn/read-fleet.ts");
    const read = async () => await readFleet(toLocation({ fleet }), interrupts.first);
    const reading = await read().catch(() => null);
    for (const { name } of reading?.desired?.vms ?? []) printLine(name);
  }
}
