/** Whether the agent's port is its own, and whether guests can come in from other hosts. */
import type { Finding } from "../../model/doctor-report.ts";
import { type Check, type Examination, fail, ok, unknown, warn } from "../examination.ts";

/** Where `migrate-receive` listens, if it is not told: the ports that nobody owns (IANA). */
const FIRST_MIGRATION_PORT = 49_152;
const LAST_PORT = 65_535;
/** The state LISTEN in /proc/net/tcp. */
const LISTENING = "0A";
/** Fewer free ones, and something on this host has taken thousands. */
const FEW_PORTS = 100;

export const checkPorts: Check = async (examination) => [
  ...(await checkAgentPort(examination)),
  await checkMigrationPorts(examination),
];

async function checkAgentPort({ host, settings, signal }: Examination): Promise<readonly Finding[]> {
  const { port, known } = settings;
  const check = "port.agent";
  if (known !== null) return [ok(check, "the agent answers")];
  if (port === null) return [];
  const heard = await host.converse(
    { port },
    `GET /v1/health HTTP/1.1\r\nhost: 127.0.0.1:${port}\r\nconnection: close\r\n\r\n`,
    signal,
  );
  if (heard.kind === "absent") return [ok(check, `nobody listens on port ${port} of this host: an agent can`)];
  if (heard.kind === "unseen")
    return [unknown(check, `who listens on port ${port} did not say who it is: ${heard.why}`)];
  // An agent that asks for a token says so here too.
  if (/^HTTP\/1\.1 (200|401|403) /.test(heard.value))
    return [ok(check, `something that may be an agent answers on port ${port}: odorobo doctor --agent asks it`)];
  return [
    fail(
      check,
      `port ${port} is taken by something that is no agent`,
      `ss -ltnp 'sport = :${port}' shows it; --listen chooses another`,
    ),
  ];
}

async function checkMigrationPorts({ host }: Examination): Promise<Finding> {
  const check = "port.migration";
  const tables = await Promise.all(["/proc/net/tcp", "/proc/net/tcp6"].map((path) => host.read(path)));
  const [first] = tables;
  if (first?.kind !== "seen") return unknown(check, "/proc/net/tcp could not be read");
  const taken = new Set<number>();
  for (const table of tables) if (table.kind === "seen") for (const port of listening(table.value)) taken.add(port);
  const used = [...taken].filter((port) => port >= FIRST_MIGRATION_PORT).length;
  const free = LAST_PORT - FIRST_MIGRATION_PORT + 1 - used;
  const what = `${free} ports from ${FIRST_MIGRATION_PORT} on are free to take in guests; whether a firewall lets them through was not tried`;
  return free < FEW_PORTS ? warn(check, what, "ss -ltn shows who listens") : ok(check, what);
}

function listening(table: string): number[] {
  return table
    .split("\n")
    .slice(1)
    .flatMap((line) => {
      const [, local = "", , state] = line.trim().split(/\s+/);
      return state === LISTENING ? [Number.parseInt(local.split(":")[1] ?? "", 16)] : [];
    });
}
