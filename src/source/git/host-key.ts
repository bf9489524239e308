/** A server's SSH key that nobody has vouched for: shown, so that a person can compare it, and never taken by us. */
import { execFile } from "node:child_process";
import type { GitCredentials } from "./credentials.ts";

/** A look at the server on the side. */
const LOOK_MS = 5_000;

/** What to do, with the fingerprints that the server shows now. */
export async function howToKnowHost(
  url: string,
  said: string,
  credentials: GitCredentials | undefined,
  signal: AbortSignal,
): Promise<string> {
  const place = hostOf(url);
  const file = credentials?.knownHostsFile ?? "~/.ssh/known_hosts";
  if (place === null) return `put its host key into ${file} when you have compared it`;
  const { host, port } = place;
  const scan = ["ssh-keyscan", ...(port === null ? [] : ["-p", port]), host];
  const keys = (await output(scan, "", signal)).split("\n").filter((line) => line !== "" && !line.startsWith("#"));
  const prints = await output(["ssh-keygen", "-l", "-f", "-"], `${keys.join("\n")}\n`, signal);
  const shown = [...prints.matchAll(/(SHA256:\S+) .*\((\w+)\)/g)].map(([, print, kind]) => `${kind} ${print}`).sort();
  const compare = shown.length === 0 ? "" : ` It shows ${shown.join(", ")}:`;
  const isChanged = /IDENTIFICATION HAS CHANGED/i.test(said);
  return isChanged
    ? `somebody may be between you and it, or it was made anew.${compare} ask its owner which it is, then replace its lines in ${file}`
    : `${compare.trim()} compare with what its owner tells, then: ${scan.join(" ")} >> ${file}`.trim();
}

/** Of `ssh://user@host:port/path` and `user@host:path`. A name that ssh would take for an option is none. */
function hostOf(url: string): { readonly host: string; readonly port: string | null } | null {
  const [, host, port] =
    /^ssh:\/\/(?:[^@/]*@)?(\[[^\]]+\]|[^:/]+)(?::(\d+))?(?:\/|$)/i.exec(url) ??
    /^(?:[^@/]*@)?([^:/]+):/.exec(url) ??
    [];
  if (host === undefined || !/^\[?[\w.:]/.test(host)) return null;
  return { host: host.replace(/^\[|\]$/g, ""), port: port ?? null };
}

function output([program = "", ...args]: readonly string[], input: string, signal: AbortSignal): Promise<string> {
  return new Promise((resolve) => {
    const child = execFile(program, args, { timeout: LOOK_MS, signal }, (_, stdout) => resolve(stdout));
    child.stdin?.on("error", () => {}).end(input);
  });
}
