/** What the gateway's files of secrets say now of a token: what a session of it stands for. */
import type { AccessFile } from "../../../platform/http/door/access-file.ts";
import type { Caller } from "../../../platform/http/door/caller.ts";
import { callerOf } from "../../../platform/http/door/gate.ts";
import type { TokenFile } from "../../../platform/http/door/token-file.ts";

/** By the token's digest. Resolves with null when it is nobody's; rejects with AGENT_INSECURE while a file that might say so cannot be trusted. */
export const ownersOf =
  ({ token, access }: { readonly token: TokenFile | null; readonly access: AccessFile | null }) =>
  async (digest: Buffer): Promise<Pick<Caller, "name" | "role"> | null> => {
    const [tokenRead, accessRead] = await Promise.allSettled([token?.read(), access?.read()]);
    const adminToken = tokenRead.status === "fulfilled" ? tokenRead.value : undefined;
    const table = accessRead.status === "fulfilled" ? accessRead.value : undefined;
    const owner = callerOf(digest, adminToken, table);
    if (owner !== null) return { name: owner.name, role: owner.role };
    for (const read of [tokenRead, accessRead]) if (read.status === "rejected") throw read.reason;
    return null;
  };
