import { once } from "node:events";
import { Flags } from "@oclif/core";
import { systemClock } from "../platform/clock.ts";
import type { Logger } from "../platform/logger.ts";
import { OdoroboCommand } from "./cli/base-command.ts";
import { gatewayFlags, toGatewayConfig } from "./cli/gateway/gateway-flags.ts";
import { listenForInterrupts } from "./cli/interrupt.ts";

export default class GatewayCommand extends OdoroboCommand {
  static override summary = "keep fleets as their repositories say: push, and the guests change";
  static override description =
    "Plans and applies what is pushed and what drifts, as policy.gateway in the Fleet allows; the rest waits for `odorobo runs approve`. " +
    "Broken and refused commits change nothing: the last good one stays in force. " +
    "SIGTERM and Ctrl-C let end what is in flight; guests run on.";
  static override enableJsonFlag = false;
  static override flags = {
    ...gatewayFlags,
    "log-level": Flags.string({ summary: "debug, info, warn, error or silent", default: "info" }),
    "log-format": Flags.string({ summary: "text, json or auto", default: "auto" }),
  };
  static override examples = [
    "<%= config.bin %> gateway --repo https://forge.example/team/fleet.git --ref main --data ./gateway",
    "<%= config.bin %> gateway --config /etc/odorobo/gateway.yaml",
  ];

  override async run(): Promise<void> {
    const { flags } = await this.parse(GatewayCommand);
    const { startGateway } = await import("../gateway/service/gateway.ts");
    const { catchSlips } = await import("../platform/http/slips.ts");
    const { openLog, parseLogSettings } = await import("../platform/pino-log.ts");
    const { openRuns } = await import("./cli/runs/begin-run.ts");

    const log = openLog(parseLogSettings(flags["log-level"], flags["log-format"]));
    const { config, warningsText } = await toGatewayConfig(flags);
    if (warningsText !== "") this.screen.note(warningsText);
    using interrupts = listenForInterrupts();
    using _slips = catchSlips(log, "gateway");
    await using gateway = await startGateway(config, {
      runs: await openRuns(config.dataFolder),
      clock: systemClock,
      log,
      hardSignal: interrupts.second,
    });
    using _hangups = onHangup(async () => {
      if (flags.config === undefined) return log.info({}, "there is no file to be read again");
      const again = await toGatewayConfig(flags);
      const { fleets, ...rest } = again.config;
      const { fleets: _, ...before } = config;
      if (JSON.stringify(rest) !== JSON.stringify(before))
        log.warn({}, "what the file says beside fleets counts from the next start on");
      log.info(await gateway.reload(fleets), "the file was read again");
    }, log);
    this.screen.print(`odorobo gateway ready on ${gateway.url}`);
    if (!interrupts.first.aborted) await once(interrupts.first, "abort");
  }
}

/** Reloads take turns; one that fails changes nothing, and the log says why. */
function onHangup(reload: () => Promise<void>, log: Logger): Disposable {
  let turn = Promise.resolve();
  const onSignal = () => {
    turn = turn
      .then(reload)
      .catch((error: unknown) =>
        log.error({ err: error }, "the file could not be read again: what was read before stays in force"),
      );
  };
  process.on("SIGHUP", onSignal);
  return { [Symbol.dispose]: () => void process.off("SIGHUP", onSignal) };
}
