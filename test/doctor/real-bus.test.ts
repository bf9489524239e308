/** The handshake with a real message bus: what a doctor says of one, and of one that is gone. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { checkServiceManager } from "../../src/doctor/checks/service-manager.ts";
import { thisHost } from "../../src/doctor/host.ts";
import { aSettings } from "../support/a-host.ts";
import { requires } from "../support/requirements.ts";
import { aTempFolder } from "../support/temp-folder.ts";
import { until } from "../support/until.ts";

describe.runIf(requires("the doctor at a real bus", "dbus-daemon"))("a real bus", () => {
  test("lets this user in, until it is gone", async () => {
    await using folder = await aTempFolder();
    const path = join(folder.path, "bus");
    const bus = spawn("dbus-daemon", ["--session", "--nofork", `--address=unix:path=${path}`], { stdio: "ignore" });
    const ended = once(bus, "exit");
    const ask = async () => {
      const settings = aSettings({ bus: `unix:path=${path}` });
      const findings = await checkServiceManager({ host: thisHost, settings, signal: new AbortController().signal });
      return findings.find((finding) => finding.check === "systemd.bus");
    };
    try {
      await until("the bus listens", () => existsSync(path));
      const { message, level } = (await ask())!;
      // Whether a user who is not root may start units is not for the bus to say.
      expect(level).toBe(thisHost.uid === 0 ? "ok" : "warn");
      expect(message).toContain(path);
    } finally {
      bus.kill();
      await ended;
    }
    expect(await ask()).toMatchObject({ level: "warn", message: expect.stringContaining("nobody answers") });
  });
});
