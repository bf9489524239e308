/** Whether the clock is kept right: leases, retentions and certificates go by it. */
import { type Check, ok, unknown, warn } from "../examination.ts";

/** systemd-timesyncd touches it when it has synchronized. */
const TIMESYNC_MARK = "/run/systemd/timesync/synchronized";

export const checkClock: Check = async ({ host, signal }) => {
  const check = "clock";
  const hint = "install chrony, or: timedatectl set-ntp true";
  const asked = await host.run("timedatectl", ["show", "--property=NTPSynchronized", "--value"], signal);
  const said = asked.kind === "seen" && asked.value.code === 0 ? asked.value.output.trim() : null;
  if (said === "yes") return [ok(check, "the clock is synchronized, timedatectl says")];
  const tracked = await host.run("chronyc", ["-c", "tracking"], signal);
  if (tracked.kind === "seen" && tracked.value.code === 0)
    return /,Not synchronised\s*$/.test(tracked.value.output)
      ? [warn(check, "chrony runs and has not synchronized the clock", "chronyc sources shows whom it asks")]
      : [ok(check, "the clock is synchronized, chrony says")];
  if ((await host.facts(TIMESYNC_MARK)).kind === "seen")
    return [ok(check, "the clock was synchronized since the boot")];
  if (said === "no") return [warn(check, "the clock is not synchronized, timedatectl says", hint)];
  return [unknown(check, "nothing on this host says whether its clock is synchronized", hint)];
};
