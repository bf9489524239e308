import { hostname } from "node:os";
import { basename, resolve } from "node:path";
import { Args, Flags } from "@oclif/core";
import { isOdoroboError, OdoroboError } from "../model/errors.ts";
import { DNS_LABEL } from "../model/names.ts";
import { type ImportReport, renderImport } from "../report/import-report.ts";
import { renderPlan } from "../report/plan/plan-text.ts";
import { paintWith } from "../report/words/paint.ts";
import { OdoroboCommand } from "./cli/base-command.ts";
import { EDITOR_SCHEMA_PATH, readEditorSchema, schemaLine } from "./cli/editor-schema.ts";
import { agentFlags, toAccess } from "./cli/flags.ts";
import { listenForInterrupts } from "./cli/interrupt.ts";
import { listFolder, refuseToMix, toFleetName, writeNew } from "./cli/new-folder.ts";

export default class Import extends OdoroboCommand {
  static override summary = "write a fleet from guests of libvirt";
  static override description =
    "Reads what virsh dumpxml prints (and virsh net-dumpxml, for bridges), writes a folder of manifests, and shows the plan of it. " +
    "Whatever has no word in manifests is told, and stands as a comment where it was lost. Nothing is started: every VM is Manual, " +
    "for its guest may run under libvirt still. Exits 1 when something could not be read; the rest is written.";
  static override strict = false;
  static override args = {
    files: Args.string({ description: "files, folders of .xml files, or - for stdin", required: true }),
  };
  static override flags = {
    into: Flags.string({ summary: "the folder to write; a new one", helpValue: "FOLDER", required: true }),
    node: Flags.string({ summary: "the server that the guests are on (default: this machine)", helpValue: "NAME" }),
    address: Flags.string({
      summary: "where its agent listens",
      helpValue: "URL",
      default: "http://127.0.0.1:8890",
    }),
    bridge: Flags.string({
      summary: "the bridge of one of libvirt's networks; may be repeated",
      helpValue: "NETWORK=BRIDGE",
      multiple: true,
      multipleNonGreedy: true,
    }),
    ...agentFlags,
  };
  static override examples = [
    "<%= config.bin %> import /etc/libvirt/qemu --into my-fleet",
    "virsh dumpxml web | <%= config.bin %> import - --into my-fleet --bridge lan=br0",
  ];

  override async run(): Promise<ImportReport> {
    const { argv, flags } = await this.parse(Import);
    using interrupts = listenForInterrupts();
    const node = flags.node ?? nodeNameOf(hostname());
    if (!DNS_LABEL.test(node))
      throw new OdoroboError("USAGE", `${JSON.stringify(node)} is not a node's name`, {
        hint: "--node is in lower-case letters, digits and dashes",
      });
    const bridges = new Map((flags.bridge ?? []).map(parseBridge));
    const { readForeign } = await import("../turn/read-foreign.ts");
    const { fleetFiles } = await import("../import/fleet-files.ts");
    const { vms, problems } = await readForeign(argv as string[], bridges);
    const fleet = toFleetName(basename(resolve(flags.into)));
    const { files, vms: imported } = fleetFiles(vms, { fleet, node, address: flags.address, headerOf: schemaLine });
    const all = [...files, { path: EDITOR_SCHEMA_PATH, text: await readEditorSchema() }];
    const isAny = vms.length > 0;
    if (isAny) {
      refuseToMix(flags.into, await listFolder(flags.into), all, "--into other-folder");
      await writeNew(flags.into, all);
    }
    const report: ImportReport = {
      kind: "ImportReport",
      version: 1,
      folder: flags.into,
      written: isAny ? all.map(({ path }) => path) : [],
      vms: imported.map(({ vm, name, path }) => ({
        name,
        was: vm.name,
        file: vm.file,
        manifest: path,
        notes: vm.notes,
      })),
      problems,
    };
    this.screen.print(renderImport(report, paintWith(this.screen.colour)));
    let isPlanned = isAny;
    if (isAny) {
      isPlanned = await this.#showPlan(flags.into, flags, interrupts.first);
      this.screen.print(`\n${ONE_AT_A_TIME}`);
    }
    process.exitCode = problems.length > 0 || !isPlanned ? 1 : 0;
    return report;
  }

  /** What was written is worth what a plan of it says. False: guests of which two say the same disk or address; a person is to say what is meant. */
  async #showPlan(folder: string, flags: Parameters<typeof toAccess>[0], signal: AbortSignal): Promise<boolean> {
    const { planFleet } = await import("../turn/plan-fleet.ts");
    const { systemClock } = await import("../platform/clock.ts");
    const request = {
      location: { kind: "folder", path: folder },
      access: toAccess(flags),
      selection: null,
      allowances: { maxClass: null, allowDestroy: null },
      clock: systemClock,
    } as const;
    try {
      await using planned = await planFleet(request, signal);
      if (planned.fleet.warnings.length > 0) this.screen.note(planned.fleet.warningsText);
      this.screen.print(`\n${renderPlan(planned.plan, { colour: this.screen.colour, verbose: false, next: null })}`);
      return true;
    } catch (error) {
      if (!isOdoroboError(error, "MANIFEST_INVALID")) throw error;
      this.screen.note(`\n${error.message}`);
      return false;
    }
  }
}

const ONE_AT_A_TIME =
  "Two that run one disk destroy it: before odorobo boots a guest, shut it down in libvirt, and let libvirt forget it (virsh undefine NAME --keep-nvram).";

function parseBridge(text: string): readonly [string, string] {
  const at = text.lastIndexOf("=");
  if (at > 0 && at < text.length - 1) return [text.slice(0, at), text.slice(at + 1)];
  throw new OdoroboError("USAGE", `--bridge ${text} names no network and bridge`, {
    hint: "for example --bridge lan=br0",
  });
}

/** `Host1.example.net` is `host1`. */
const nodeNameOf = (host: string): string => toFleetName(host.split(".")[0] ?? "").replace(/^fleet$/, "local");
