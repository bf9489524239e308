/** Whether the hypervisors that the agent should offer are here, and in a version that its drivers know. */
import { NEWEST_TRIED_MAJOR, OLDEST_MAJOR } from "../../model/cloud-hypervisor/version.ts";
import type { Finding } from "../../model/doctor-report.ts";
import { type Check, type Examination, fail, ok, unknown, warn } from "../examination.ts";

interface Known {
  readonly name: string;
  readonly oldest: readonly [major: number, minor: number];
  /** Null: newer ones have kept to what they promised. */
  readonly newestMajor: number | null;
  readonly package: string;
}

/** The versions that the drivers are tested with. */
const KNOWN: Readonly<Record<string, Known>> = {
  "cloud-hypervisor": {
    name: "Cloud Hypervisor",
    oldest: [OLDEST_MAJOR, 0],
    newestMajor: NEWEST_TRIED_MAJOR,
    package: "its releases are static binaries: put one on the PATH as cloud-hypervisor",
  },
  qemu: { name: "QEMU", oldest: [6, 2], newestMajor: null, package: "Debian: apt install qemu-system-x86 qemu-utils" },
};

export const checkHypervisors: Check = async (examination) => {
  const asked = examination.settings.hypervisors.filter((each) => each.executable !== null);
  const found = await Promise.all(asked.map((each) => look(each.kind, each.executable ?? "", examination)));
  const isSomethingHere = found.some((finding) => finding.level === "ok" || finding.level === "warn");
  // One of several is enough; nothing at all runs no guest.
  return found.map(
    (finding): Finding =>
      finding.level === "fail" && isSomethingHere && finding.message.endsWith("is not here")
        ? { ...finding, level: "warn" }
        : finding,
  );
};

async function look(kind: string, executable: string, { host, signal }: Examination): Promise<Finding> {
  const check = `hypervisor.${kind}`;
  const known = KNOWN[kind];
  if (known === undefined) return unknown(check, `${kind} is not known to this doctor`);
  const ran = await host.run(executable, ["--version"], signal);
  if (ran.kind === "absent") return fail(check, `${known.name} (${executable}) is not here`, known.package);
  if (ran.kind === "unseen") return unknown(check, `${executable} did not say its version: ${ran.why}`);
  const version = /\bv?(\d+)\.(\d+)(?:\.\d+)?/.exec(ran.value.output);
  if (ran.value.code !== 0 || version === null)
    return fail(check, `${executable} --version ended with ${ran.value.code} and said no version`, known.package);
  return judge(check, known, executable, [Number(version[1]), Number(version[2])], ran.value.output);
}

function judge(
  check: string,
  { name, oldest, newestMajor, package: from }: Known,
  executable: string,
  [major, minor]: readonly [number, number],
  output: string,
): Finding {
  const features = /Enabled features: (\[[^\]]*\])/.exec(output)?.[1];
  const what = `${name} ${major}.${minor} (${executable}${features === undefined ? "" : `, features ${features}`})`;
  if (major < oldest[0] || (major === oldest[0] && minor < oldest[1]))
    return fail(check, `${what} is older than ${oldest.join(".")}, which the driver needs`, from);
  if (newestMajor !== null && major > newestMajor)
    return warn(
      check,
      `${what} is newer than ${newestMajor}, the last that the driver was tested with; the agent uses it`,
      "try it with a guest that does not matter, or install one that is known",
    );
  return ok(check, what);
}
