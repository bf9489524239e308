/** What a gateway is started with, all said: made from a file (`file/`) or from flags, the same either way. */
import type { ChangeClass } from "../../model/change-class.ts";
import type { GatewayPolicy } from "../../model/desired-state.ts";
import type { ListenAddress } from "../../platform/http/listen-address.ts";
import type { TlsFiles } from "../../platform/http/tls-files.ts";
import type { AgentAccess } from "../../turn/connect-agents.ts";
import type { ClusterSettings } from "../cluster/cluster.ts";
import type { OidcConfig } from "./oidc/oidc-config.ts";

export interface GatewayConfig {
  /** Null, or left out: this gateway is alone. */
  readonly cluster?: ClusterSettings | null;
  readonly listen: ListenAddress;
  /** Runs, what loops remember, and which fleet each entry turned. */
  readonly dataFolder: string;
  /** As people and forges reach it, without a slash at its end; null: nobody said. */
  readonly publicUrl: string | null;
  readonly door: DoorFiles;
  /** Left out: sessions of twelve hours, and nobody else is asked who people are. */
  readonly signIn?: { readonly sessionMs: number; readonly oidc: OidcConfig | null };
  /** In the order of the file. Names differ, and so do places. */
  readonly fleets: readonly FleetConfig[];
}

/** Who may come in. With none of them: who reaches loopback may look, and who may open the Unix socket may do all. */
export interface DoorFiles {
  readonly tokenFile: string | null;
  readonly accessFile: string | null;
  readonly tls: TlsFiles | null;
}

export interface FleetConfig {
  /** Of the entry: in addresses and logs. The fleet's own is in its manifests. */
  readonly name: string;
  readonly repository: RepositoryConfig;
  readonly intervalMs: number;
  /** A file of allowed signers; null: any commit will do. */
  readonly requireSigned: string | null;
  readonly allowRewind: boolean;
  /** Null: the repository's own policy is all there is. */
  readonly ceiling: PolicyCeiling | null;
  readonly forge: ForgeEntry | null;
  readonly notify: readonly NotifyEntry[];
  readonly agents: AgentAccess;
}

export interface RepositoryConfig {
  readonly url: string;
  /** Null: its default branch, its root. */
  readonly ref: string | null;
  readonly path: string | null;
  readonly sshKeyFile?: string;
  readonly knownHostsFile?: string;
  readonly tokenFile?: string;
  readonly username?: string;
  readonly caFile?: string;
}

/** What is left out is not limited. */
export interface PolicyCeiling extends Partial<Pick<GatewayPolicy, "suspend" | "healDrift">> {
  readonly auto?: ChangeClass;
  readonly approve?: readonly ChangeClass[];
}

export const FORGE_KINDS = ["github", "gitlab", "gitea", "forgejo", "bitbucket", "generic"] as const;
export type ForgeKind = (typeof FORGE_KINDS)[number];

export interface ForgeEntry {
  readonly kind: ForgeKind;
  /** Of its API; null: nothing is told to it, and only its hooks are heard. */
  readonly api: ForgeApi | null;
  readonly hookSecretFile: string | null;
  readonly pullRequests: boolean;
  /** Those of forks, too; left out: not. */
  readonly forks?: boolean;
}

export interface ForgeApi {
  readonly url: string;
  readonly repository: string;
  readonly tokenFile: string;
  /** Left out: what Node trusts. */
  readonly caFile?: string;
}

export const NOTIFY_TOPICS = ["failed", "waiting", "drift", "silent", "healed"] as const;
export type NotifyTopic = (typeof NOTIFY_TOPICS)[number];

export interface NotifyEntry {
  readonly kind: "json" | "slack";
  readonly urlFile: string;
  readonly on: readonly NotifyTopic[];
}

export const DEFAULT_GATEWAY_LISTEN = "127.0.0.1:8900";
export const DEFAULT_GATEWAY_DATA = "/var/lib/odorobo-gateway";
export const DEFAULT_INTERVAL_MS = 60_000;
export const SHORTEST_INTERVAL_MS = 1_000;
