/** What is looked at before a migration begins: the rest shows on the way. */
import { statSync } from "node:fs";
import type { Receive, Send } from "./bodies.ts";
import { readMigrationUrl } from "./migration-wire.ts";
import { ioText, Refusal } from "./refusal.ts";

const MAX_CONNECTIONS = 128;
const FORMS = "must use tcp:<host>:<port> or unix:<path>";

export function checkSend(to: Send): void {
  const wrong = (why: string, ...causes: readonly string[]): Refusal =>
    new Refusal(
      "other",
      "Invalid send migration configuration",
      `Error validating send migration parameters: ${why}`,
      ...causes,
    );
  const url = readMigrationUrl(to.destination_url);
  if (url.kind === "wrong") throw wrong(`destination_url ${FORMS}.`, ...url.why);
  const connections = to.connections ?? 1;
  if (connections > MAX_CONNECTIONS) throw wrong(`connections must not exceed ${MAX_CONNECTIONS}.`);
  if (url.kind === "unix" && connections > 1) {
    throw wrong("UNIX sockets and connections option cannot be used at the same time.");
  }
  if (url.kind === "unix" && to.tls_dir !== undefined) throw wrong(TLS_ON_UNIX);
  if (url.kind === "tcp" && to.local) throw wrong("local option is only supported with UNIX sockets.");
  if (to.memory_mode === "Postcopy") {
    if (connections > 1) throw wrong("memory_mode=postcopy currently requires a single connection (connections=1).");
    if (to.local) throw wrong("memory_mode=postcopy and local options are mutually exclusive.");
  }
  if (to.tls_dir !== undefined) checkTlsFolder(to.tls_dir, "send-migration", wrong);
}

export function checkReceive(from: Receive): void {
  const wrong = (why: string): Refusal =>
    new Refusal(
      "other",
      "Invalid receive migration configuration",
      `Error validating receive migration parameters: ${why}`,
    );
  const url = readMigrationUrl(from.receiver_url);
  if (url.kind === "wrong") {
    const why = url.why[0] === undefined ? "" : `: ${url.why[0]}`;
    throw wrong(`receiver_url ${FORMS}${why}.`);
  }
  if (url.kind === "unix" && from.tls_dir !== undefined) throw wrong(TLS_ON_UNIX);
  if (from.tls_dir !== undefined) checkTlsFolder(from.tls_dir, "receive-migration", wrong);
}

const TLS_ON_UNIX = "UNIX sockets and TLS encryption cannot be used at the same time.";

/** Only that it is there: nothing is encrypted between doubles. */
function checkTlsFolder(folder: string, what: string, wrong: (why: string) => Refusal): void {
  try {
    statSync(folder);
  } catch (error) {
    const why = `TLS directory does not exist or is inaccessible: ${folder}: ${ioText(error)}`;
    throw wrong(`invalid TLS configuration for ${what}: ${why}`);
  }
}
