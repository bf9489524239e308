/** What `odorobo agent token --json` prints (`schemas/agent-access.schema.json`), and what it says to people. */
import type { Role } from "../model/role.ts";
import { type Column, renderTable, type TableOptions } from "./words/table.ts";

export interface AgentAccess {
  readonly kind: "AgentAccess";
  readonly version: 1;
  readonly act: "created" | "rotated" | "revoked" | "listed";
  readonly accessFile: string;
  /** Who was created, rotated or revoked. */
  readonly name: string | null;
  /** Shown this once: the file has its hash only. Null where none was made. */
  readonly token: string | null;
  /** As the file now is, in its order. */
  readonly callers: readonly AccessCaller[];
}

export interface AccessCaller {
  readonly name: string;
  readonly role: Role;
  readonly credential: "token" | "certificate";
  /** The first 12 hex digits of its sha256: to recognise it by. */
  readonly digest: string;
}

const COLUMNS: readonly Column<AccessCaller>[] = [
  { title: "CALLER", kind: "name", show: (caller) => caller.name },
  { title: "ROLE", kind: "state", show: (caller) => caller.role },
  { title: "BY", kind: "state", show: (caller) => caller.credential },
  { title: "SHA256", show: (caller) => `${caller.digest}…` },
];

export const renderCallers = ({ callers }: AgentAccess, options: TableOptions): string =>
  callers.length === 0 ? "Nobody is listed." : renderTable(COLUMNS, callers, options);
