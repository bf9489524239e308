import { homedir, tmpdir } from "node:os";
import { basename, join, resolve } from "node:path";
import { Args, Flags } from "@oclif/core";
import { OdoroboError } from "../model/errors.ts";
import { HYPERVISOR_KINDS } from "../model/vm-spec.ts";
import { isOnPath } from "../platform/is-on-path.ts";
import { OdoroboCommand } from "./cli/base-command.ts";
import { readEditorSchema } from "./cli/editor-schema.ts";
import { starterImage } from "./cli/init/known-images.ts";
import { ownKey } from "./cli/init/own-key.ts";
import { listFolder, refuseToMix, toFleetName, writeNew } from "./cli/new-folder.ts";
import { quote } from "./cli/next-command.ts";
import { STARTER_NODE, starterFleet } from "./cli/starter-fleet.ts";

interface InitDocument {
  readonly folder: string;
  readonly written: readonly string[];
  readonly next: readonly string[];
}

export default class Init extends OdoroboCommand {
  static override summary = "write a small fleet to start from";
  static override description =
    "Writes a fleet of one node and one VM, and the schema by which editors complete and check them. Never overwrites a file.";
  static override args = { folder: Args.string({ description: "where to write it", default: "." }) };
  static override flags = {
    hypervisor: Flags.option({
      summary: "what is to run the guests (default: qemu where it is installed, else noop)",
      options: HYPERVISOR_KINDS,
    })(),
    image: Flags.string({
      summary:
        "a guest of a distribution's cloud image that one logs in to: debian-12, debian-13, ubuntu-24-04, …, or the path of an image here",
      helpValue: "NAME",
    }),
    "ssh-key": Flags.string({
      summary: "the public key that may log in (default: yours, of ~/.ssh)",
      helpValue: "FILE",
      dependsOn: ["image"],
    }),
  };
  static override examples = [
    "<%= config.bin %> init my-fleet",
    "<%= config.bin %> init my-fleet --hypervisor qemu --image debian-12",
  ];

  override async run(): Promise<InitDocument> {
    const { args, flags } = await this.parse(Init);
    const hypervisor = flags.hypervisor ?? ((await isOnPath("qemu-system-x86_64")) ? "qemu" : "noop");
    const image = flags.image === undefined ? null : await starterImage(flags.image);
    const key = image === null ? null : await ownKey(flags["ssh-key"]);
    if (image !== null && hypervisor !== "qemu" && hypervisor !== "noop")
      throw new OdoroboError("USAGE", `${hypervisor} has no network of its own for a guest that one logs in to`, {
        hint: "--hypervisor qemu has; with another one, put the guest on a bridge of the node",
      });
    const there = await listFolder(args.folder);
    const all = starterFleet({
      fleet: toFleetName(basename(resolve(args.folder))),
      hypervisor,
      schema: await readEditorSchema(),
      image,
      sshKey: key?.key ?? null,
    });
    // A repository that was just made on a server has one already.
    const files = all.filter((file) => file.path !== "README.md" || !there.includes("README.md"));
    refuseToMix(args.folder, there, files, "odorobo init my-fleet");
    await writeNew(args.folder, files);

    const at = args.folder === "." ? "" : ` ${quote(args.folder)}`;
    const from = args.folder === "." ? "" : ` --fleet ${quote(args.folder)}`;
    const watch = `odorobo watch${at}`;
    const steps = [
      `odorobo agent --name ${STARTER_NODE}${foldersOfOneUser()}`,
      `odorobo plan${at}`,
      `odorobo apply${at}`,
      ...(image === null ? [] : [`odorobo vm wait hello --for ssh${from}`, `odorobo vm ssh hello${from}`]),
    ];
    this.screen.print(`Wrote ${files.map((file) => join(args.folder, file.path)).join(", ")}.\n`);
    if (key !== null) this.screen.print(`Who has the key of ${key.path} may log in to hello.\n`);
    else if (image !== null)
      this.screen.note(
        "You have no SSH key in ~/.ssh: ssh-keygen -t ed25519 makes one, and its public half goes into vms/hello.yaml.",
      );
    this.screen.print(`Next, one command that keeps this machine so, whatever you save:\n  ${watch}\n`);
    this.screen.print(
      `Or a step at a time, the first in a terminal of its own:\n${steps.map((each) => `  ${each}`).join("\n")}`,
    );
    return { folder: args.folder, written: files.map((file) => file.path), next: [watch, ...steps] };
  }
}

/** The agent's own folders belong to root; somebody else needs others. */
function foldersOfOneUser(): string {
  if (process.getuid?.() === 0) return "";
  const data = join(process.env.XDG_DATA_HOME ?? join(homedir(), ".local", "share"), "odorobo");
  const run = join(process.env.XDG_RUNTIME_DIR ?? tmpdir(), "odorobo");
  return ` --data ${quote(data)} --run ${quote(run)}`;
}
