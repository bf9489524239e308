/** Generated from schemas/gateway.schema.json by scripts/generate-types.ts: `npm run schemas`. */
export const GATEWAY_SCHEMA: Readonly<Record<string, unknown>> =
  {"$schema":"https://json-schema.org/draft/2020-12/schema","$id":"https://odorobo.dev/schemas/gateway.schema.json","title":"GatewayFile","type":"object","properties":{"apiVersion":{"const":"odorobo.dev/v1"},"kind":{"const":"Gateway"},"listen":{"type":"string","pattern":"^(unix:///.+|(\\[[0-9A-Fa-f:.]+\\]|[A-Za-z0-9.-]+):[0-9]{1,5})$","title":"an address such as 127.0.0.1:8900 or unix:///run/odorobo-gateway.sock"},"publicUrl":{"type":"string","pattern":"^https?://[^\\s@]+$","title":"an address such as https://forge.example"},"data":{"type":"string","minLength":1},"tokenFile":{"type":"string","minLength":1},"accessFile":{"type":"string","minLength":1},"tls":{"type":"object","properties":{"certFile":{"type":"string","minLength":1},"keyFile":{"type":"string","minLength":1},"clientCaFile":{"type":"string","minLength":1}},"required":["certFile","keyFile"],"additionalProperties":false},"cluster":{"title":"GatewayClusterEntry","type":"object","properties":{"name":{"type":"string","minLength":1,"maxLength":100},"epoch":{"type":"integer","minimum":0,"maximum":1000000},"etcd":{"type":"object","properties":{"endpoints":{"type":"array","minItems":1,"maxItems":9,"items":{"type":"string","pattern":"^https?://[^\\s/@]+$","title":"an address such as https://etcd-1:2379"}},"tls":{"type":"object","properties":{"caFile":{"type":"string","minLength":1},"certFile":{"type":"string","minLength":1},"keyFile":{"type":"string","minLength":1}},"required":["caFile"],"additionalProperties":false},"prefix":{"type":"string","pattern":"^/[A-Za-z0-9._/-]*$","title":"a path such as /odorobo/"},"leaseSeconds":{"type":"integer","minimum":3,"maximum":60}},"required":["endpoints"],"additionalProperties":false}},"required":["etcd"],"additionalProperties":false},"signIn":{"title":"SignInEntry","type":"object","properties":{"lifetime":{"type":"string","pattern":"^([0-9]+(\\.[0-9]+)?(ms|s|m|h|d|w))+$","title":"a duration such as 90s or 10m"},"oidc":{"title":"OidcEntry","type":"object","properties":{"issuer":{"type":"string","pattern":"^https?://[^\\s@]+$","title":"an address such as https://forge.example"},"clientId":{"type":"string","minLength":1},"clientSecretFile":{"type":"string","minLength":1},"name":{"type":"string","minLength":1,"maxLength":60},"scopes":{"type":"array","items":{"type":"string","pattern":"^[!-~]+$","title":"a word"},"minItems":1},"rolesClaim":{"type":"string","minLength":1},"roles":{"type":"object","minProperties":1,"additionalProperties":{"enum":["observe","operate","apply","admin"]}}},"required":["issuer","clientId","rolesClaim","roles"],"additionalProperties":false}},"additionalProperties":false},"fleets":{"type":"array","minItems":1,"maxItems":1000,"items":{"$ref":"#/$defs/fleet"}}},"required":["kind","fleets"],"additionalProperties":false,"$defs":{"fleet":{"title":"GatewayFleetEntry","type":"object","properties":{"name":{"type":"string","pattern":"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$","title":"a name of lower-case letters, digits and dashes"},"repository":{"$ref":"#/$defs/repository"},"interval":{"type":"string","pattern":"^([0-9]+(\\.[0-9]+)?(ms|s|m|h|d|w))+$","title":"a duration such as 90s or 10m"},"requireSigned":{"type":"string","minLength":1},"allowRewind":{"type":"boolean"},"ceiling":{"title":"PolicyCeilingEntry","type":"object","properties":{"auto":{"enum":["none","metadata","live","pause","migrate","reboot","replace","destroy"]},"approve":{"type":"array","items":{"enum":["metadata","live","pause","migrate","reboot","replace","destroy"]},"uniqueItems":true},"suspend":{"type":"boolean"},"healDrift":{"enum":["revert","report","off"]}},"additionalProperties":false},"forge":{"title":"ForgeEntryFile","type":"object","properties":{"kind":{"enum":["github","gitlab","gitea","forgejo","bitbucket","generic"]},"url":{"type":"string","pattern":"^https?://[^\\s@]+$","title":"an address such as https://forge.example"},"repository":{"type":"string","pattern":"^[^\\s/]+(/[^\\s/]+)+$","title":"a repository's name such as team/fleet"},"tokenFile":{"type":"string","minLength":1},"hookSecretFile":{"type":"string","minLength":1},"caFile":{"type":"string","minLength":1},"pullRequests":{"type":"boolean"},"forks":{"type":"boolean"}},"required":["kind"],"additionalProperties":false},"notify":{"type":"array","items":{"title":"NotifyEntryFile","type":"object","properties":{"kind":{"enum":["json","slack"]},"urlFile":{"type":"string","minLength":1},"on":{"type":"array","items":{"enum":["failed","waiting","drift","silent","healed"]},"minItems":1,"uniqueItems":true}},"required":["kind","urlFile"],"additionalProperties":false}},"agents":{"title":"AgentsEntry","type":"object","properties":{"tokenFile":{"type":"string","minLength":1},"timeout":{"type":"string","pattern":"^([0-9]+(\\.[0-9]+)?(ms|s|m|h|d|w))+$","title":"a duration such as 90s or 10m"},"tls":{"type":"object","properties":{"caFile":{"type":"string","minLength":1},"certFile":{"type":"string","minLength":1},"keyFile":{"type":"string","minLength":1}},"additionalProperties":false}},"additionalProperties":false}},"required":["name","repository"],"additionalProperties":false},"repository":{"title":"RepositoryEntry","type":"object","properties":{"url":{"type":"string","minLength":1},"ref":{"type":"string","minLength":1},"path":{"type":"string","minLength":1},"sshKeyFile":{"type":"string","minLength":1},"knownHostsFile":{"type":"string","minLength":1},"tokenFile":{"type":"string","minLength":1},"username":{"type":"string","minLength":1},"caFile":{"type":"string","minLength":1}},"required":["url"],"additionalProperties":false}}};

/**
 * What `odorobo gateway --config gateway.yaml` turns: one document. Secrets are never in it, only the files that hold them. Relative paths are relative to this file.
 */
export interface GatewayFile {
  /**
   * The version of this format.
   */
  apiVersion?: "odorobo.dev/v1";
  /**
   * What this document describes.
   */
  kind: "Gateway";
  /**
   * Where people, forges and Prometheus reach the gateway. Beyond loopback and unix sockets it needs tokenFile, accessFile or tls.clientCaFile.
   */
  listen?: string;
  /**
   * How people reach it from elsewhere: for links in commit statuses.
   */
  publicUrl?: string;
  /**
   * Where runs are kept, and what is remembered of each fleet. Default: /var/lib/odorobo-gateway.
   */
  data?: string;
  /**
   * The token that people show: whoever has it may do all.
   */
  tokenFile?: string;
  /**
   * People by name, with roles and the hashes of their tokens, as `odorobo agent token` writes it: observe looks, apply approves.
   */
  accessFile?: string;
  /**
   * Serve with a certificate.
   */
  tls?: {
    /**
     * Certificate, PEM.
     */
    certFile: string;
    /**
     * Its key, PEM.
     */
    keyFile: string;
    /**
     * People must show a certificate that is signed by this.
     */
    clientCaFile?: string;
  };
  cluster?: GatewayClusterEntry;
  signIn?: SignInEntry;
  /**
   * Each with a repository of its own.
   *
   * @minItems 1
   * @maxItems 1000
   */
  fleets: GatewayFleetEntry[];
}
/**
 * Several gateways with the same file, of which one leads: who that is, what runs have come to and what loops remember is in etcd. Left out: one process, with its data folder.
 */
export interface GatewayClusterEntry {
  /**
   * Of this gateway, for people. Default: its host's name and process.
   */
  name?: string;
  /**
   * Raised by hand, in all gateways' files, after etcd was restored from a backup: agents refuse what is older than they have seen.
   */
  epoch?: number;
  etcd: {
    /**
     * All members: http://host:2379, or https:// for all of them.
     *
     * @minItems 1
     * @maxItems 9
     */
    endpoints: string[];
    /**
     * How members are known, and what is shown to them.
     */
    tls?: {
      /**
       * Who signs the members' certificates, PEM.
       */
      caFile: string;
      /**
       * Client certificate, PEM. With etcd's roles, its common name is the user.
       */
      certFile?: string;
      /**
       * Its key, PEM.
       */
      keyFile?: string;
    };
    /**
     * Of all keys. Two clusters in one etcd have two.
     */
    prefix?: string;
    /**
     * How long a leader that is gone keeps the next one out.
     */
    leaseSeconds?: number;
  };
}
/**
 * How people sign in at the page, beside tokens and client certificates.
 */
export interface SignInEntry {
  /**
   * How long a session holds. Default: 12h.
   */
  lifetime?: string;
  oidc?: OidcEntry;
}
/**
 * A provider of OpenID Connect that is asked who people are. Needs publicUrl: at the provider the redirect URI is PUBLIC-URL/v1/session/oidc/callback.
 */
export interface OidcEntry {
  /**
   * As the provider calls itself, such as https://id.example/realms/team.
   */
  issuer: string;
  /**
   * As the gateway is called there.
   */
  clientId: string;
  /**
   * The secret that goes with it. Left out: a public client, which has PKCE alone.
   */
  clientSecretFile?: string;
  /**
   * What the button says. Default: the issuer's host.
   */
  name?: string;
  /**
   * What is asked for. Default: openid, profile, email.
   *
   * @minItems 1
   */
  scopes?: string[];
  /**
   * The claim that says what somebody is: groups, or realm_access.roles.
   */
  rolesClaim: string;
  /**
   * What a value of that claim lets one do; the highest counts. Who has none of them may not enter.
   */
  roles: {
    [k: string]: "observe" | "operate" | "apply" | "admin";
  };
}
/**
 * One fleet.
 */
export interface GatewayFleetEntry {
  /**
   * What the gateway calls it: in addresses, hooks and logs. What the fleet is called stands in its manifests.
   */
  name: string;
  repository: RepositoryEntry;
  /**
   * How often to look though nothing was told. Default: 60s.
   */
  interval?: string;
  /**
   * Commits must be signed by somebody in this file of allowed signers (git's gpg.ssh.allowedSignersFile).
   */
  requireSigned?: string;
  /**
   * Follow the branch also where its history does not contain what was applied last (force-push).
   */
  allowRewind?: boolean;
  ceiling?: PolicyCeilingEntry;
  forge?: ForgeEntryFile;
  /**
   * Who is told.
   */
  notify?: NotifyEntryFile[];
  agents?: AgentsEntry;
}
/**
 * Where the manifests are.
 */
export interface RepositoryEntry {
  /**
   * As git takes it: https://…, ssh://…, host:path, or a folder. Without a password: tokenFile has it.
   */
  url: string;
  /**
   * Branch, tag or commit. Default: the repository's own.
   */
  ref?: string;
  /**
   * The folder in it. Default: all of it.
   */
  path?: string;
  /**
   * A deploy key without a passphrase, for SSH.
   */
  sshKeyFile?: string;
  /**
   * The host keys that its server may have, for SSH. Default: those that ssh knows.
   */
  knownHostsFile?: string;
  /**
   * A token or password, for HTTPS.
   */
  tokenFile?: string;
  /**
   * Goes with the token.
   */
  username?: string;
  /**
   * Who signs the certificate of its server, instead of the system's.
   */
  caFile?: string;
}
/**
 * What policy.gateway of the repository never goes beyond: who pushes cannot raise it. What is left out is not limited.
 */
export interface PolicyCeilingEntry {
  /**
   * The worst class of changes that is made without asking.
   */
  auto?: "none" | "metadata" | "live" | "pause" | "migrate" | "reboot" | "replace" | "destroy";
  /**
   * What may be done with an approval; what neither auto nor this names is refused. Left out: all that is worse than auto.
   */
  approve?: ("metadata" | "live" | "pause" | "migrate" | "reboot" | "replace" | "destroy")[];
  /**
   * Nothing is done, whatever is pushed.
   */
  suspend?: boolean;
  /**
   * What becomes, at most, of guests that somebody else changed.
   */
  healDrift?: "revert" | "report" | "off";
}
/**
 * Where the repository lives: its webhooks are heard at /v1/hooks/NAME, and it is told of commits and pull requests.
 */
export interface ForgeEntryFile {
  /**
   * Whose hooks and API it has.
   */
  kind: "github" | "gitlab" | "gitea" | "forgejo" | "bitbucket" | "generic";
  /**
   * Of its API, such as https://api.github.com or https://forge.example.
   */
  url?: string;
  /**
   * As the forge calls it.
   */
  repository?: string;
  /**
   * A token that may write commit statuses and comments.
   */
  tokenFile?: string;
  /**
   * The secret that its webhooks are signed with. Two lines: the old one is taken, too.
   */
  hookSecretFile?: string;
  /**
   * Certificates, as PEM, that the forge's own is signed by; left out: those that Node knows.
   */
  caFile?: string;
  /**
   * Plan what a pull request would change, as one comment on it.
   */
  pullRequests?: boolean;
  /**
   * Plan those of forks, too. Their authors may be anybody: the plan shows them names, sizes and how full nodes are.
   */
  forks?: boolean;
}
/**
 * One that is told.
 */
export interface NotifyEntryFile {
  /**
   * json: a document of ours; slack: what Slack, Mattermost and others take.
   */
  kind: "json" | "slack";
  /**
   * A file with the address to send to: it is a secret.
   */
  urlFile: string;
  /**
   * What of. Default: all.
   *
   * @minItems 1
   */
  on?: ("failed" | "waiting" | "drift" | "silent" | "healed")[];
}
/**
 * How the agents of the fleet are asked.
 */
export interface AgentsEntry {
  /**
   * The token that they ask for.
   */
  tokenFile?: string;
  /**
   * How long one agent may take to say what it has. Default: 5s.
   */
  timeout?: string;
  /**
   * Certificates.
   */
  tls?: {
    /**
     * Who signs theirs.
     */
    caFile?: string;
    /**
     * What is shown to them.
     */
    certFile?: string;
    /**
     * The key of certFile.
     */
    keyFile?: string;
  };
}
