/** Who asks, as the gate has found out: routes check the role, the audit log says the name. */
import type { Role } from "../../../model/role.ts";

export interface Caller {
  /** Of the token, of the certificate, or how it came in: `unix socket`, `loopback`. Never a secret. */
  readonly name: string;
  readonly role: Role;
}

/** Whoever is in this process, or may open the agent's own socket. */
export const IN_PROCESS: Caller = { name: "in-process", role: "admin" };
