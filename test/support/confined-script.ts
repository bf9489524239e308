/**
 * Runs a shell script as a guest's process of the supervisor systemd, as the user `odorobo-vm` of the system that this runs
 * in, and prints what it said: `confined-script.ts DATA-FOLDER NEEDS-AS-JSON SCRIPT`. The script ends with `echo done`.
 */
import { mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { NEEDS_NOTHING } from "../../src/agent/launch-command.ts";
import { createSystemdSupervisor } from "../../src/agent/supervisor/systemd/systemd-supervisor.ts";
import { silentLogger } from "../../src/platform/logger.ts";
import { until } from "./until.ts";

const [data = "", needs = "{}", script = ""] = process.argv.slice(2);
const run = join(data, "vms/web-1");
mkdirSync(run, { recursive: true });
const [, , uid, gid] = /^odorobo-vm:.*$/m.exec(readFileSync("/etc/passwd", "utf8"))?.[0].split(":") ?? [];
await using supervisor = createSystemdSupervisor({
  bus: "unix:path=/run/dbus/system_bus_socket",
  user: { name: "odorobo-vm", group: "odorobo-vm", uid: Number(uid), gid: Number(gid) },
  hidden: [data],
  log: silentLogger,
});
const command = {
  executable: "/bin/sh",
  args: ["-c", `${script}\necho done; sleep 600`],
  env: {},
  workingFolder: run,
  outputFile: join(data, "out.log"),
  staleFiles: [],
  needs: { ...NEEDS_NOTHING, ...JSON.parse(needs) },
};
const handle = await supervisor.start("web-1", command, new AbortController().signal);
const gone = new AbortController();
const ended = supervisor.waitForExit(handle, gone.signal).catch(() => null);
const said = () => readFileSync(command.outputFile, "utf8");
await until("it is done, or has ended", () => said().endsWith("done\n") || !supervisor.isRunning(handle), 60_000);
process.stdout.write(said());
if (!supervisor.isRunning(handle)) process.stdout.write(`ended ${JSON.stringify(await ended)}\n`);
gone.abort();
await supervisor.stop(handle, 1000);
