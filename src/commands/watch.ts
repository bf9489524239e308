import { join, resolve } from "node:path";
import { Flags } from "@oclif/core";
import type { LoopWatcher } from "../gateway/loop/parts.ts";
import type { WatchDoor } from "../gateway/service/watch-door.ts";
import { CHANGE_CLASSES, type ChangeClass } from "../model/change-class.ts";
import { digestOfText } from "../model/digest.ts";
import { OdoroboError } from "../model/errors.ts";
import { systemClock } from "../platform/clock.ts";
import type { Logger } from "../platform/logger.ts";
import { stateFolder } from "../platform/state-folder.ts";
import { whoami } from "../platform/whoami.ts";
import { OdoroboCommand } from "./cli/base-command.ts";
import { agentFlags, fleetFlags, folderArg, stateFlag, toAccess } from "./cli/flags.ts";
import { listenForInterrupts } from "./cli/interrupt.ts";
import { parseMilliseconds } from "./cli/parse-quantity.ts";
import { isInteractive } from "./cli/screen/terminal.ts";
import { thisFolder } from "./cli/this-folder.ts";

const WHO = "watch";

export default class Watch extends OdoroboCommand {
  static override summary = "keep this machine's guests as a folder says: save a file, and the VM changes";
  static override description =
    "Plans and applies on every save and every drift, as policy.gateway in the Fleet allows: what is worse than live asks first, unless --auto says so. " +
    "Where one node of this machine is named and no agent answers for it, one runs in here. Broken files change nothing: the last good ones stay in force. " +
    "Ctrl-C stops the watching; guests run on (130: a run was left in the middle).";
  static override args = folderArg;
  static override flags = {
    fleet: fleetFlags.fleet,
    agent: Flags.string({
      summary: "the agent to use, instead of the address in the fleet's one Node",
      helpValue: "URL",
      helpGroup: "AGENTS",
    }),
    auto: Flags.string({
      summary: "do changes up to this class without asking (default: policy.gateway.auto, else live)",
      options: [...CHANGE_CLASSES],
      helpGroup: "GUARDS",
    }),
    poll: Flags.boolean({ summary: "look at every file again and again: for network file systems" }),
    interval: Flags.string({
      summary: "how often to look though nothing seemed to happen",
      helpValue: "60s",
      default: "60s",
    }),
    data: Flags.string({ summary: "records and disks of an agent in here, as of odorobo agent", helpValue: "FOLDER" }),
    listen: Flags.string({
      summary: "serve the page there, and the API of a gateway: 127.0.0.1:8900, or unix:///path",
      helpValue: "ADDRESS",
      helpGroup: "PAGE",
    }),
    "page-token-file": Flags.string({
      summary: "whoever shows this token at the page may do all; without it, on loopback everybody may look",
      helpValue: "FILE",
      helpGroup: "PAGE",
    }),
    run: Flags.string({ summary: "sockets of an agent in here, as of odorobo agent", helpValue: "FOLDER" }),
    ...stateFlag,
    ...agentFlags,
  };
  static override examples = [
    "<%= config.bin %> watch ./vms",
    "<%= config.bin %> watch ./vms --auto reboot",
    "<%= config.bin %> watch ./vms --json | jq -r .event",
  ];

  override async run(): Promise<void> {
    const { args, flags } = await this.parse(Watch);
    using interrupts = listenForInterrupts();
    const { Loop } = await import("../gateway/loop/loop.ts");
    const { LiveWorld } = await import("../gateway/loop/live-world.ts");
    const { FolderSource } = await import("../gateway/sources/folder-source.ts");
    const { LoopMemoryFile } = await import("../gateway/loop/memory-file.ts");
    const { openScreen } = await import("./cli/watch/screens.ts");
    const { readAnswers } = await import("./cli/watch/answers.ts");
    const { nextCommands } = await import("./cli/watch/next-commands.ts");
    const { Watcher } = await import("./cli/watch/watcher.ts");
    const { Keepers } = await import("./cli/watch/inside-agent.ts");
    const { fanOut } = await import("../gateway/service/fan-out.ts");
    const { openRuns } = await import("./cli/runs/begin-run.ts");

    const folder = args.folder ?? flags.fleet ?? thisFolder();
    const access = toAccess(flags);
    const intervalMs = parseMilliseconds(flags.interval, "--interval");
    if (intervalMs < 1_000) throw new OdoroboError("USAGE", "--interval is at least 1s");
    const runs = await openRuns(flags.state);

    using screen = openScreen(this.screen);
    const watcher = new Watcher(screen, {
      colour: this.screen.colour,
      isInteractive: !this.screen.json && isInteractive(),
      folder,
      next: nextCommands(folder, flags),
    });
    const log: Logger = {
      info: () => {},
      warn: (_, text) => screen.note(`agent: ${text}`),
      error: (_, text) => screen.note(`agent: ${text}`),
    };
    const bothTold = (one: LoopWatcher, other: LoopWatcher) => fanOut([one, other], log);
    const onStart = (agent: { node: string; address: string }) => watcher.tell({ event: "agent", ...agent });
    await using keepers = new Keepers({ url: flags.agent, data: flags.data, run: flags.run, access, onStart, log });
    const clock = systemClock;
    const source = new FolderSource(
      folder,
      { poll: flags.poll, rescanMs: intervalMs, onLimit: () => watcher.limited() },
      (fleet, signal) => keepers.serve(fleet, signal),
    );
    let door: WatchDoor | null = null;
    const world = new LiveWorld({
      location: { kind: "folder", path: folder },
      access,
      runs,
      clock,
      who: WHO,
      signal: interrupts.first,
      hardSignal: interrupts.second,
      intervalMs,
      onNews: () => door?.glancer.nudge(),
    });
    await using opened = new AsyncDisposableStack();
    if (flags.listen !== undefined) {
      const { openWatchDoor } = await import("../gateway/service/watch-door.ts");
      const options = { listen: flags.listen, tokenFile: flags["page-token-file"] ?? null, folder };
      door = opened.use(
        await openWatchDoor({ ...options, access, runs, clock, log, hardSignal: interrupts.second }, () =>
          world.glance(),
        ),
      );
      screen.note(`the page: ${door.url}/`);
    }
    const of = `the folder ${resolve(folder)}`;
    const memory = new LoopMemoryFile({
      path: join(flags.state ?? stateFolder(), "loops", `${digestOfText(of).slice(0, 32)}.json`),
      ...{ of, runs, clock, by: `odorobo ${WHO} of ${whoami()}` },
      onTrouble: (message) => screen.note(message),
    });
    const said = flags.auto === undefined ? {} : { auto: flags.auto as ChangeClass, approve: null };
    const loop = new Loop(
      { source, world, clock, memory },
      door === null ? watcher : bothTold(watcher, door.watcher),
      said,
    );
    const onLine = (line: string) => {
      const answer = ({ yes: "approve", no: "decline" } as const)[line.trim()];
      if (answer !== undefined && watcher.question !== null) loop.answer(answer, watcher.question, whoami());
    };
    using answers =
      isInteractive() && !this.screen.json
        ? readAnswers(!screen.isBlock, { onLine, onKey: () => watcher.show() })
        : null;
    if (answers !== null) watcher.listenTo(answers);
    interrupts.first.addEventListener("abort", () => watcher.stopping(false));
    interrupts.second.addEventListener("abort", () => watcher.stopping(true));
    watcher.tell({ event: "watching", folder });
    await loop.run(interrupts.first);
    screen[Symbol.dispose]();
    watcher.stopped();
    process.exitCode = watcher.openRun === null ? 0 : 130;
  }

  protected override logJson(document: unknown): void {
    // Its documents are printed one by one.
    if (document !== undefined) super.logJson(document);
  }
}
