/** Finds the way to one guest, and by what its SSH server is known. */
import { mkdir, readFile } from "node:fs/promises";
import { createConnection } from "node:net";
import { dirname, join } from "node:path";
import { isErrno, OdoroboError } from "../../../model/errors.ts";
import { writeFileAtomically } from "../../../platform/atomic-write.ts";
import { stateFolder } from "../../../platform/state-folder.ts";
import type { FoundVm } from "../../../turn/find-vm.ts";
import type { Reached } from "../../../turn/reach-nodes.ts";
import { hasHostKeys, hostKeyAlias, keysOnConsole, withHostKeys } from "./host-keys.ts";
import type { SshTarget } from "./ssh-options.ts";
import { type Way, waysTo } from "./ways.ts";

/** A host that drops packets does not say so: then the next way is tried. */
const CONNECT_MS = 3_000;
/** A boot says some hundred lines; the keys come at its end. */
const CONSOLE_LINES = 20_000;

export interface GuestFlags {
  readonly port: number;
  readonly identity: string | null;
  readonly jumpUser: string | null;
}

/** Rejects with NOT_FOUND where nothing is known of where it is, WRONG_PHASE where no guest runs. */
export async function sshTarget(
  reached: Reached,
  { node, vm }: FoundVm,
  { port, identity, jumpUser }: GuestFlags,
  signal: AbortSignal,
): Promise<SshTarget> {
  if (vm.phase !== "running")
    throw new OdoroboError("WRONG_PHASE", `${vm.name} is ${vm.phase}`, {
      hint: `odorobo vm boot ${vm.name} starts it`,
    });
  const agent = reached.agents.of(node);
  const way = await chooseWay(waysTo(vm, port, agent.address), signal);
  const chunks: Uint8Array[] = [];
  for await (const bytes of agent.followLog(vm.name, { tailLines: CONSOLE_LINES, follow: false }, signal))
    chunks.push(bytes);
  const keys = keysOnConsole(Buffer.concat(chunks).toString("utf8"));
  const alias = hostKeyAlias(vm.name, vm.fleet);
  const knownHosts = join(stateFolder(), "ssh", vm.fleet ?? "by-hand", "known_hosts");
  const before = await readFile(knownHosts, "utf8").catch((error: unknown) => {
    if (isErrno(error, "ENOENT")) return "";
    throw error;
  });
  const after = keys.length === 0 ? before : withHostKeys(before, alias, keys);
  if (after !== before || before === "") {
    await mkdir(dirname(knownHosts), { recursive: true, mode: 0o700 });
    await writeFileAtomically(knownHosts, after);
  }
  const trust = keys.length > 0 ? "console" : hasHostKeys(before, alias) ? "known" : "first-use";
  return { way, alias, knownHosts, trust, identity, jumpUser };
}

/** What OpenSSH is going to compare, for people. */
export function describeTrust(vm: string, { trust, way }: SshTarget): string {
  const through = way.jump === null ? "" : `, through ${way.jump}`;
  const how = {
    console: "its host key is the one that it said on its serial line",
    known: "its host key is the one seen before; its serial line does not say it",
    "first-use": "its serial line does not say its host key: who answers now is believed, and compared from now on",
  }[trust];
  return `${vm} by ${way.by}${through}; ${how}`;
}

/** The first at which somebody listens; else the first through the node, which only OpenSSH can try; else the first. */
async function chooseWay(ways: readonly Way[], signal: AbortSignal): Promise<Way> {
  for (const way of ways) if (way.jump !== null || (await listens(way, signal))) return way;
  return ways[0] as Way;
}

/** Rejects only with the signal's reason. */
export function listens({ host, port }: Pick<Way, "host" | "port">, signal: AbortSignal): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const socket = createConnection({ host, port });
    const end = (answer: () => void) => {
      clearTimeout(deadline);
      signal.removeEventListener("abort", onAbort);
      socket.destroy();
      answer();
    };
    const onAbort = () => end(() => reject(signal.reason));
    const deadline = setTimeout(() => end(() => resolve(false)), CONNECT_MS);
    signal.addEventListener("abort", onAbort, { once: true });
    socket.once("connect", () => end(() => resolve(true)));
    socket.once("error", () => end(() => resolve(false)));
  });
}
