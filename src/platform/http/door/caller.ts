/** Who asks, as the gate has found out: routes check the role, the audit log says the name. */
import type { Instant } from "../../../model/names.ts";
import type { Role } from "../../../model/role.ts";

/** How somebody came in. `session`: by a cookie that they were given for a token; `oidc`: for what a provider says of them. */
export type Entrance = "token" | "certificate" | "loopback" | "socket" | "in-process" | "session" | "oidc";

export interface Caller {
  /** Of the token, of the certificate, or how it came in: `unix socket`, `loopback`. Never a secret. */
  readonly name: string;
  readonly role: Role;
  readonly by: Entrance;
  /** Of a session: when it ends, and what aborts then. */
  readonly session?: { readonly until: Instant; readonly ended: AbortSignal };
}

/** Whoever is in this process, or may open the agent's own socket. */
export const IN_PROCESS: Caller = { name: "in-process", role: "admin", by: "in-process" };
