/** Whether systemd is there, answers over D-Bus and would let us start units. */
import type { Finding } from "../../model/doctor-report.ts";
import { type Check, type Examination, fail, ok, unknown, warn } from "../examination.ts";

/** systemd's own mark that it is the init of this host: sd_booted(3). */
const BOOTED = "/run/systemd/system";

export const checkServiceManager: Check = async (examination) => {
  const { host, settings } = examination;
  if (settings.supervisor === "spawn")
    return [ok("systemd", "guests' processes are started directly (--supervisor spawn): systemd is not asked")];
  const missing = settings.supervisor === "systemd" ? fail : warn;
  const without =
    settings.supervisor === "systemd"
      ? "the agent was told to use it and does not start"
      : "guests are started directly, without a unit, a cgroup and a sandbox of their own";
  const booted = await host.facts(BOOTED);
  const findings: Finding[] = [];
  if (booted.kind === "seen") findings.push(ok("systemd", "systemd runs this host"));
  else if (booted.kind === "absent")
    findings.push(
      missing("systemd", `systemd does not run this host: ${without}`, "on a server, boot with systemd as init"),
    );
  else findings.push(unknown("systemd", `${BOOTED} could not be looked at: ${booted.why}`));
  return [...findings, await askBus(examination, missing, without)];
};

async function askBus(
  { host, settings, signal }: Examination,
  missing: typeof warn,
  without: string,
): Promise<Finding> {
  const check = "systemd.bus";
  const path = /(?:^|;)unix:path=([^,;]+)/.exec(settings.bus)?.[1];
  if (path === undefined) return unknown(check, `${settings.bus} is no address that this doctor can ask`);
  // The handshake that every client begins with: a zero byte, then who we say we are (the user id's digits, in hex).
  const hello = `\0AUTH EXTERNAL ${Buffer.from(String(host.uid)).toString("hex")}\r\n`;
  const heard = await host.converse({ path: decodeURIComponent(path) }, hello, signal);
  if (heard.kind === "absent")
    return missing(check, `nobody answers at ${settings.bus}: ${without}`, "is dbus running? systemctl status dbus");
  if (heard.kind === "unseen") return unknown(check, `${settings.bus} could not be asked: ${heard.why}`);
  if (!heard.value.startsWith("OK "))
    return missing(
      check,
      `the bus does not let this user in: ${without}`,
      "run the agent as root, or as the bus's own user",
    );
  if (host.uid === 0) return ok(check, `the bus at ${path} lets root in, who needs nobody's leave to start units`);
  return warn(
    check,
    `the bus at ${path} answers; whether user ${host.uid} may start units is polkit's decision, which was not asked`,
    "run the agent as root, or give it a polkit rule for org.freedesktop.systemd1.manage-units",
  );
}
