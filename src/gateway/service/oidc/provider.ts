/** The provider of OpenID Connect, asked by `openid-client` (ADR 0052): the only file that knows it. Loaded when somebody signs in. */
import type { Configuration } from "openid-client";
import { openSecretFile, type SecretFile } from "../../../platform/http/door/secret-file.ts";
import { isLoopbackHost } from "../../../platform/http/listen-address.ts";
import type { OidcConfig } from "./oidc-config.ts";
import type { Claims } from "./roles-of.ts";
import { valuesOf } from "./roles-of.ts";

/** What is kept of one who was sent away and is not back yet. */
export interface Errand {
  readonly state: string;
  readonly nonce: string;
  readonly verifier: string;
}

export interface Identity {
  readonly claims: Claims;
  /** Where a browser ends its session at the provider; null: it has no such place. */
  readonly goodbye: string | null;
}

const ANSWER_SECONDS = 10;

export class Provider {
  readonly #config: OidcConfig;
  readonly #publicUrl: string;
  #secretFile: SecretFile<string> | null = null;
  #known: { readonly secret: string | null; readonly client: Configuration } | null = null;

  /** `publicUrl`: where browsers reach the gateway, without a slash at its end. */
  constructor(config: OidcConfig, publicUrl: string) {
    this.#config = config;
    this.#publicUrl = publicUrl;
  }

  get callback(): string {
    return `${this.#publicUrl}/v1/session/oidc/callback`;
  }

  /** Where a browser is sent, and what is to be kept until it is back. Rejects when the provider cannot be asked. */
  async begin(): Promise<{ readonly url: string; readonly errand: Errand }> {
    const openid = await import("openid-client");
    const client = await this.#client();
    const errand = {
      state: openid.randomState(),
      nonce: openid.randomNonce(),
      verifier: openid.randomPKCECodeVerifier(),
    };
    const url = openid.buildAuthorizationUrl(client, {
      redirect_uri: this.callback,
      scope: this.#config.scopes.join(" "),
      state: errand.state,
      nonce: errand.nonce,
      code_challenge: await openid.calculatePKCECodeChallenge(errand.verifier),
      code_challenge_method: "S256",
    });
    return { url: url.href, errand };
  }

  /** `query`: as the browser brought it back. Rejects with what the provider, or the checks of its answer, have against it. */
  async finish(query: URLSearchParams, { state, nonce, verifier }: Errand): Promise<Identity> {
    const openid = await import("openid-client");
    const client = await this.#client();
    const tokens = await openid.authorizationCodeGrant(client, new URL(`${this.callback}?${query}`), {
      expectedState: state,
      expectedNonce: nonce,
      pkceCodeVerifier: verifier,
      idTokenExpected: true,
    });
    const own = tokens.claims() ?? { sub: "" };
    const isTold = valuesOf(own, this.#config.rolesClaim).length > 0;
    const hasMore = client.serverMetadata().userinfo_endpoint !== undefined;
    // Some say groups only where they are asked once more.
    const more = isTold || !hasMore ? {} : await openid.fetchUserInfo(client, tokens.access_token, own.sub);
    return { claims: { ...more, ...own }, goodbye: this.#goodbye(openid, client, tokens.id_token) };
  }

  #goodbye(openid: typeof import("openid-client"), client: Configuration, idToken: string | undefined): string | null {
    if (client.serverMetadata().end_session_endpoint === undefined) return null;
    return openid.buildEndSessionUrl(client, {
      post_logout_redirect_uri: `${this.#publicUrl}/`,
      ...(idToken === undefined ? {} : { id_token_hint: idToken }),
    }).href;
  }

  /** What the provider says of itself is asked once, and again when the secret is another. */
  async #client(): Promise<Configuration> {
    const { issuer, clientId, clientSecretFile } = this.#config;
    const secret = clientSecretFile === null ? null : await this.#secret(clientSecretFile);
    if (this.#known?.secret === secret && this.#known !== null) return this.#known.client;
    const openid = await import("openid-client");
    const server = new URL(issuer);
    // Without TLS on this machine alone: for one that is tried out.
    const isHere = server.protocol === "http:" && isLoopbackHost(server.hostname.replace(/^\[(.*)\]$/, "$1"));
    const authentication = secret === null ? openid.None() : openid.ClientSecretBasic(secret);
    const client = await openid.discovery(server, clientId, undefined, authentication, {
      timeout: ANSWER_SECONDS,
      execute: [openid.enableNonRepudiationChecks, ...(isHere ? [openid.allowInsecureRequests] : [])],
    });
    this.#known = { secret, client };
    return client;
  }

  async #secret(path: string): Promise<string> {
    this.#secretFile ??= await openSecretFile(path, { what: "the client secret", flag: "clientSecretFile" }, (text) =>
      text.trim(),
    );
    return await this.#secretFile.read();
  }
}
