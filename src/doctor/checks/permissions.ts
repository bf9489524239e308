/** Who may look into the agent's folders, read its secrets and write the programs that it runs. */
import type { Finding } from "../../model/doctor-report.ts";
import { type Check, type Examination, fail, ok, unknown, warn } from "../examination.ts";

const OTHERS = 0o007;
const OTHERS_WRITE = 0o002;
const GROUP_READS = 0o040;
const GROUP_WRITES = 0o020;
const EXECUTABLE = 0o111;

export const checkPermissions: Check = async (examination) => {
  const { dataFolder, runFolder, secretFiles } = examination.settings;
  return [
    await checkFolder("permissions.data", dataFolder, examination),
    await checkFolder("permissions.run", runFolder, examination),
    ...(await Promise.all(
      Object.entries(secretFiles).map(([flag, path]) => checkSecret(`permissions.${flag}`, path, examination)),
    )),
    ...(await checkHooks(examination)),
  ];
};

/** Disks, consoles and texts with secrets are in there. */
async function checkFolder(check: string, path: string, { host }: Examination): Promise<Finding> {
  const seen = await host.facts(path);
  if (seen.kind === "absent") return ok(check, `${path} is not there yet: the agent makes it for itself alone`);
  if (seen.kind === "unseen") return unknown(check, `${path} could not be looked at: ${seen.why}`);
  if (seen.value.kind !== "folder") return fail(check, `${path} is no folder`, "move it away");
  if ((seen.value.mode & OTHERS) !== 0)
    return warn(check, `everybody on this host can look into ${path}`, `chmod o= ${path}`);
  return ok(check, `${path} is closed to others`);
}

async function checkSecret(check: string, path: string, { host }: Examination): Promise<Finding> {
  const seen = await host.facts(path);
  if (seen.kind === "absent") return fail(check, `${path} is not there`, "the agent does not start without it");
  if (seen.kind === "unseen") return unknown(check, `${path} could not be looked at: ${seen.why}`);
  if ((seen.value.mode & OTHERS) !== 0)
    return fail(
      check,
      `everybody on this host can get at ${path}: nobody comes in by it`,
      `chmod 600 ${path}, and make new secrets: these may be known`,
    );
  return (seen.value.mode & GROUP_READS) === 0
    ? ok(check, `${path} is for its owner alone`)
    : warn(check, `its group can read ${path}`, `chmod 600 ${path}, unless that is meant`);
}

/** What the agent runs as root must be nobody else's to write. */
async function checkHooks({ host, settings }: Examination): Promise<readonly Finding[]> {
  const check = "permissions.hooks";
  const points = await host.list(settings.hooksFolder);
  if (points.kind === "absent") return [ok(check, "there are no hooks")];
  if (points.kind === "unseen") return [unknown(check, `${settings.hooksFolder} could not be read: ${points.why}`)];
  const findings: Finding[] = [];
  let hooks = 0;
  for (const point of [...points.value].sort()) {
    const folder = `${settings.hooksFolder}/${point}`;
    const names = await host.list(folder);
    if (names.kind !== "seen") continue;
    for (const name of [...names.value].sort()) {
      hooks++;
      const file = `${folder}/${name}`;
      const seen = await host.facts(file);
      if (seen.kind !== "seen") findings.push(unknown(check, `${file} could not be looked at`));
      else if ((seen.value.mode & OTHERS_WRITE) !== 0)
        findings.push(
          fail(
            check,
            `everybody can write ${file}: it is not run, and what it stands before is refused`,
            `chmod o-w ${file}`,
          ),
        );
      else if ((seen.value.mode & GROUP_WRITES) !== 0)
        findings.push(
          warn(check, `its group can write ${file}, which the agent runs`, `chmod g-w ${file}, unless that is meant`),
        );
      else if ((seen.value.mode & EXECUTABLE) === 0)
        findings.push(
          fail(
            check,
            `${file} is not executable: what it stands before is refused`,
            `chmod +x ${file}, or move it away`,
          ),
        );
    }
  }
  return findings.length > 0
    ? findings
    : [ok(check, hooks === 0 ? "there are no hooks" : `${hooks} hooks, all in order`)];
}
