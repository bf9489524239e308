/** A real provider of OpenID Connect (panva's oidc-provider) on this machine, and a browser that signs in at it. */
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { Provider } from "oidc-provider";

export interface IdentityProvider extends AsyncDisposable {
  readonly issuer: string;
  readonly clientId: string;
  readonly clientSecret: string;
}

/** Who signs in is who they say; their `groups` are as told here. */
export async function anIdentityProvider(
  groups: Readonly<Record<string, readonly string[]>>,
  redirectUri: () => string,
): Promise<IdentityProvider> {
  const server: Server = createServer((request, response) => void callback(request, response));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const clientId = "odorobo";
  const clientSecret = "a secret between friends";
  let made: ReturnType<Provider["callback"]> | null = null;
  const make = () => {
    const provider = new Provider(issuer, {
      clients: [
        {
          client_id: clientId,
          client_secret: clientSecret,
          redirect_uris: [redirectUri()],
          post_logout_redirect_uris: [new URL("/", redirectUri()).href],
          response_types: ["code"],
          grant_types: ["authorization_code"],
        },
      ],
      pkce: { required: () => true },
      claims: { openid: ["sub"], profile: ["preferred_username"], groups: ["groups"] },
      features: { devInteractions: { enabled: true } },
      findAccount: (_, id) => ({
        accountId: id,
        claims: () => ({ sub: id, preferred_username: id, groups: [...(groups[id] ?? [])] }),
      }),
    });
    return provider.callback();
  };
  const callback = (
    request: Parameters<ReturnType<Provider["callback"]>>[0],
    response: Parameters<ReturnType<Provider["callback"]>>[1],
  ) => {
    made ??= make();
    return made(request, response);
  };
  return {
    ...{ issuer, clientId, clientSecret },
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}

/** Cookies by host, redirects by hand: what a browser does, as far as signing in needs it. */
export class Browser {
  readonly #cookies = new Map<string, Map<string, string>>();

  /** Follows redirects as long as `goes` says so. */
  async open(
    url: string,
    init: { readonly form?: Readonly<Record<string, string>>; readonly goes?: (to: URL) => boolean } = {},
  ): Promise<{ readonly url: URL; readonly status: number; readonly text: string; readonly location: URL | null }> {
    const { form, goes = () => true } = init;
    const at = new URL(url);
    const jar = this.cookiesOf(at);
    const cookie = [...jar].map(([name, value]) => `${name}=${value}`).join("; ");
    const answer = await fetch(url, {
      redirect: "manual",
      method: form === undefined ? "GET" : "POST",
      headers: cookie === "" ? {} : { cookie },
      ...(form === undefined ? {} : { body: new URLSearchParams(form) }),
    });
    for (const each of answer.headers.getSetCookie()) {
      const [name = "", value = ""] = each.split(";")[0]!.split("=");
      if (value === "" || /max-age=0\b/i.test(each)) jar.delete(name);
      else jar.set(name, value);
    }
    const to = answer.headers.get("location");
    const location = to === null ? null : new URL(to, url);
    const text = await answer.text();
    if (location !== null && goes(location)) return await this.open(location.href, { goes });
    return { url: at, status: answer.status, text, location };
  }

  /** Of a host and port. */
  cookiesOf({ host }: URL): Map<string, string> {
    const jar = this.#cookies.get(host) ?? new Map<string, string>();
    this.#cookies.set(host, jar);
    return jar;
  }

  /** From the page's button to where it comes out, as that person. `stopAt`: not any further than there. */
  async signIn(start: string, as: string, stopAt: (to: URL) => boolean = () => false) {
    const goes = (to: URL) => !stopAt(to);
    const form = await this.open(start, { goes });
    const consent = await this.open(this.#action(form), {
      goes,
      form: { prompt: "login", login: as, password: "any" },
    });
    return await this.open(this.#action(consent), { goes, form: { prompt: "consent" } });
  }

  #action({ text, url }: { readonly text: string; readonly url: URL }): string {
    const action = /<form[^>]* action="([^"]+)"/.exec(text)?.[1];
    if (action === undefined) throw new Error(`there is no form at ${url}: ${text.slice(0, 300)}`);
    return new URL(action, url).href;
  }
}
