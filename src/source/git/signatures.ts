/**
 * Who has signed commits, by git's own verification and the keys of one file. Invariant: nothing of a repository or of the user that
 * we are has a say in it: no configuration but ours, no keyring but the file's.
 */
import { mkdtemp, open, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { OdoroboError } from "../../model/errors.ts";
import { isOnPath } from "../../platform/is-on-path.ts";
import type { GitConfig } from "./credentials.ts";
import { configEnvironment, gitEnvironment } from "./environment.ts";
import { type Deadlines, runGit } from "./process.ts";

export interface Signature {
  readonly commit: string;
  /** Of the commit, as it says itself. */
  readonly author: string;
  /** Who of the file has signed it; null: nobody. */
  readonly by: string | null;
  /** Why not; null: it is signed. */
  readonly problem: string | null;
}

/** Key files are read by git and gpg, so they stand in a folder of their own while that lasts. */
const VERIFY: Deadlines = { quietMs: 60_000, totalMs: 300_000 };

/**
 * Of the commits that `range` (words of `git log`) names, newest first, in the bare repository `folder`. `signersFile`: lines as
 * ssh-keygen(1) describes ALLOWED SIGNERS, and public keys of OpenPGP as `gpg --armor --export` writes them.
 * Rejects with SOURCE_UNREADABLE when there is nothing to verify with.
 */
export async function signaturesOf(
  folder: string,
  range: readonly string[],
  signersFile: string,
  signal: AbortSignal,
): Promise<Signature[]> {
  const { ssh, pgp } = await readSigners(signersFile);
  const keys = await mkdtemp(join(tmpdir(), "odorobo-signers-"));
  try {
    const allowed = join(keys, "allowed_signers");
    await writeFile(allowed, ssh, { mode: 0o600 });
    const env = { ...gitEnvironment(), GNUPGHOME: keys, GIT_CONFIG_NOSYSTEM: "1", GIT_CONFIG_GLOBAL: "/dev/null" };
    if (pgp !== "") await importKeys(keys, pgp, signersFile);
    const config: GitConfig = [
      ["gpg.ssh.program", "ssh-keygen"],
      ["gpg.ssh.allowedSignersFile", allowed],
      ["gpg.ssh.revocationFile", "/dev/null"],
      ["gpg.program", pgp === "" ? NOBODY : "gpg"],
      ["gpg.openpgp.program", pgp === "" ? NOBODY : "gpg"],
      ["gpg.x509.program", NOBODY],
      ["gpg.minTrustLevel", "undefined"],
      ["log.showSignature", "false"],
      ["i18n.logOutputEncoding", "UTF-8"],
    ];
    const args = ["log", "-z", "--format=%H%n%G?%n%GF%n%an <%ae>%n%GS", ...range, "--"];
    const run = { args, folder, env: { ...env, ...configEnvironment(config) }, isAlone: true, deadlines: VERIFY };
    const { code, stdout, stderr } = await runGit(run, signal);
    if (code === 0)
      return stdout
        .split("\0")
        .filter((record) => record !== "")
        .map(toSignature);
    throw new OdoroboError("SOURCE_UNREADABLE", "signatures cannot be verified", {
      cause: new Error(stderr.trim()),
      hint: "is the copy of the repository whole? Remove it, and it is made anew",
    });
  } finally {
    await rm(keys, { recursive: true, force: true });
  }
}

/** Verifies nothing. */
const NOBODY = "/bin/false";

const PGP_BLOCK = /-----BEGIN PGP PUBLIC KEY BLOCK-----[\s\S]*?-----END PGP PUBLIC KEY BLOCK-----/g;

async function readSigners(path: string): Promise<{ readonly ssh: string; readonly pgp: string }> {
  const refusal = (reason: string, cause?: unknown) =>
    new OdoroboError("SOURCE_UNREADABLE", `the file of signers ${path} ${reason}`, {
      cause,
      hint: 'a line for each who may sign: NAME namespaces="git" ssh-ed25519 AAAA…; or their armored OpenPGP public keys',
    });
  let text: string;
  try {
    await using file = await open(path);
    const { mode } = await file.stat();
    if ((mode & 0o002) !== 0) throw refusal("may be written by everybody on this machine");
    text = await file.readFile("utf8");
  } catch (cause) {
    if (cause instanceof OdoroboError) throw cause;
    throw refusal("cannot be read", cause);
  }
  const pgp = (text.match(PGP_BLOCK) ?? []).join("\n");
  const ssh = text.replaceAll(PGP_BLOCK, "");
  const hasSsh = ssh.split("\n").some((line) => /^\s*[^#\s]/.test(line));
  if (!hasSsh && pgp === "") throw refusal("names nobody");
  if (hasSsh && !(await isOnPath("ssh-keygen"))) throw missing("ssh-keygen", "openssh-client");
  if (pgp !== "" && !(await isOnPath("gpg"))) throw missing("gpg", "gnupg");
  return { ssh, pgp };
}

const missing = (program: string, debianPackage: string) =>
  new OdoroboError("SOURCE_UNREADABLE", `signatures cannot be verified: there is no ${program}`, {
    hint: `apt-get install ${debianPackage}`,
  });

/** All of them may sign: that they are in the file is the trust. */
async function importKeys(home: string, pgp: string, signersFile: string): Promise<void> {
  const file = join(home, "keys.asc");
  await writeFile(file, pgp, { mode: 0o600 });
  await writeFile(
    join(home, "gpg.conf"),
    "trust-model always\nno-autostart\nno-auto-key-retrieve\nno-auto-key-locate\n",
  );
  const { execFile } = await import("node:child_process");
  const args = ["--homedir", home, "--batch", "--quiet", "--import", file];
  await new Promise<void>((resolve, reject) => {
    execFile("gpg", args, { timeout: VERIFY.quietMs, env: gitEnvironment() }, (cause) => {
      if (cause === null) resolve();
      else
        reject(
          new OdoroboError("SOURCE_UNREADABLE", `gpg cannot take the keys of ${signersFile}`, {
            cause,
            hint: "write them as gpg --armor --export does",
          }),
        );
    });
  });
}

/** git-log(1), %G? */
const PROBLEMS: Readonly<Record<string, string>> = {
  N: "it is not signed",
  B: "its signature does not fit what it says",
  U: "it is signed by a key that is not in the file of signers",
  E: "it is signed by a key that is not in the file of signers",
  X: "its signature has expired",
  Y: "it is signed by a key that has expired",
  R: "it is signed by a key that was revoked",
};

function toSignature(record: string): Signature {
  const [commit = "", verdict = "", print = "", author = "", ...signer] = record.split("\n");
  if (verdict !== "G") {
    const problem = PROBLEMS[verdict] ?? "git does not say that it is signed";
    return { commit, author, by: null, problem: print === "" || verdict === "N" ? problem : `${problem} (${print})` };
  }
  return { commit, author, by: signer.join(" ").trim() || print, problem: null };
}
