import { Flags } from "@oclif/core";
import { OdoroboError } from "../../model/errors.ts";
import { ROLES, type Role } from "../../model/role.ts";
import { type AgentAccess, renderCallers } from "../../report/agent-access.ts";
import { OdoroboCommand } from "../cli/base-command.ts";

export default class AgentTokenCommand extends OdoroboCommand {
  static override summary = "make, rotate, revoke and list the tokens of an agent's callers";
  static override description =
    "Writes the file that agents are given with --access-file. A token is printed once; the file has its hash. " +
    "Agents that run see the change at once. Roles: observe looks, operate starts and stops and types into consoles, " +
    "apply defines and deletes VMs, admin does all.";
  static override flags = {
    "access-file": Flags.string({ summary: "file of callers", helpValue: "FILE", required: true }),
    name: Flags.string({ summary: "the caller", helpValue: "NAME" }),
    role: Flags.string({
      summary: "what a new caller may do",
      options: [...ROLES],
      exclusive: ["rotate", "revoke", "list"],
    }),
    rotate: Flags.boolean({
      summary: "give the caller another token; the old one is no longer one",
      exclusive: ["revoke", "list"],
    }),
    revoke: Flags.boolean({ summary: "let the caller in no longer", exclusive: ["list"] }),
    list: Flags.boolean({ summary: "who is in the file, without secrets", exclusive: ["name"] }),
  };
  static override examples = [
    "<%= config.bin %> agent token --access-file /etc/odorobo/access --name ci --role apply > ci.token",
    "<%= config.bin %> agent token --access-file /etc/odorobo/access --name ci --rotate > ci.token",
    "<%= config.bin %> agent token --access-file /etc/odorobo/access --list",
  ];

  override async run(): Promise<AgentAccess> {
    const { flags } = await this.parse(AgentTokenCommand);
    const { addToken, listAccess, revokeCaller, rotateToken } = await import("../../agent/edit-access-file.ts");
    const path = flags["access-file"];
    const toDocument = (
      about: Pick<AgentAccess, "act" | "name" | "token">,
      entries: Awaited<ReturnType<typeof listAccess>>,
    ) => ({
      kind: "AgentAccess" as const,
      version: 1 as const,
      accessFile: path,
      ...about,
      callers: entries.map(({ name, role, kind, digest }) => ({
        name,
        role,
        credential: kind,
        digest: digest.slice(0, 12),
      })),
    });
    if (flags.list) {
      const document = toDocument({ act: "listed", name: null, token: null }, await listAccess(path));
      this.screen.print(renderCallers(document, this.screen));
      return document;
    }
    const { name } = flags;
    if (name === undefined) throw usage("whose token?", "give --name NAME, or --list");
    if (flags.revoke) {
      const document = toDocument({ act: "revoked", name, token: null }, await revokeCaller(path, name));
      this.screen.print(`${name} is let in no longer.`);
      return document;
    }
    const role = flags.role as Role | undefined;
    if (!flags.rotate && role === undefined)
      throw usage(`what may ${name} do?`, `give --role ${ROLES.join(", ")}; or --rotate`);
    const token = await makeToken();
    const entries = role === undefined ? await rotateToken(path, name, token) : await addToken(path, name, role, token);
    this.screen.print(token);
    this.screen.note(
      `${name} is ${entries.find((entry) => entry.name === name)?.role}. This token is not shown again.`,
    );
    return toDocument({ act: role === undefined ? "rotated" : "created", name, token }, entries);
  }
}

/** 256 bits: `access-list.ts` says what that saves. The beginning is for people and for tools that look for leaked secrets. */
async function makeToken(): Promise<string> {
  const { randomBytes } = await import("node:crypto");
  return `odorobo_${randomBytes(32).toString("base64url")}`;
}

const usage = (message: string, hint: string) => new OdoroboError("USAGE", message, { hint });
