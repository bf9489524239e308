/** Whom a gateway asks who people are, as `signIn.oidc` of `gateway.yaml` says. */
import type { Role } from "../../../model/role.ts";

export interface OidcConfig {
  readonly issuer: string;
  readonly clientId: string;
  /** Null: a client without a secret, which has PKCE alone. */
  readonly clientSecretFile: string | null;
  /** On the button. */
  readonly name: string;
  readonly scopes: readonly string[];
  readonly rolesClaim: string;
  /** What a value of that claim lets one do. */
  readonly roles: Readonly<Record<string, Role>>;
}

export const DEFAULT_SCOPES = ["openid", "profile", "email"] as const;
