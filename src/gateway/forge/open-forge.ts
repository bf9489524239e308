/** From its configuration to a forge that can be told things. */
import { OdoroboError } from "../../model/errors.ts";
import { openSecretFile } from "../../platform/http/door/secret-file.ts";
import { BitbucketForge } from "./bitbucket-forge.ts";
import type { ApiKind, Forge, ForgeConfig } from "./forge.ts";
import { ForgeHttp } from "./forge-http.ts";
import { GitHubForge } from "./github-forge.ts";
import { GitLabForge } from "./gitlab-forge.ts";

/** Rejects with USAGE for an address or repository that is none, and with AGENT_INSECURE for a token file that cannot be used. */
export async function openForge(config: ForgeConfig, options: { readonly answerMs?: number } = {}): Promise<Forge> {
  const { kind, tokenFile, caFile, repository } = config;
  if (!/^\w[\w.-]*(\/\w[\w.-]*)+$/.test(repository)) {
    throw new OdoroboError("USAGE", "forge.repository is not owner/name", {
      hint: "as it stands in the address of its page, without .git",
    });
  }
  const base = apiBase(kind, config.url);
  const token = await openSecretFile(tokenFile, { what: "the forge's token", flag: "forge.tokenFile" }, (text) => {
    const word = text.trim();
    if (/^[!-~]+$/.test(word)) return word;
    throw new OdoroboError("AGENT_INSECURE", `the forge's token in ${tokenFile} is not one word`, {
      hint: "write the token into it, and nothing else",
    });
  });
  const http = new ForgeHttp({ base, token, caFile, headersFor: HEADERS[kind], ...options });
  if (kind === "gitlab") return new GitLabForge(http, repository);
  if (kind === "bitbucket") return new BitbucketForge(http, repository);
  return new GitHubForge(kind, http, repository);
}

const HEADERS: Readonly<Record<ApiKind, (token: string) => Readonly<Record<string, string>>>> = {
  github: (token) => ({
    authorization: `Bearer ${token}`,
    accept: "application/vnd.github+json",
    "x-github-api-version": "2022-11-28",
  }),
  gitea: (token) => ({ authorization: `token ${token}` }),
  forgejo: (token) => ({ authorization: `token ${token}` }),
  gitlab: (token) => ({ "private-token": token }),
  // `NAME:TOKEN` is an API token of a person, else it is one of a repository, project or workspace.
  bitbucket: (token) => ({
    authorization: token.includes(":") ? `Basic ${Buffer.from(token).toString("base64")}` : `Bearer ${token}`,
  }),
};

/** People give the address that they know: of the forge, or of its API. */
export function apiBase(kind: ApiKind, text: string): URL {
  const url = URL.parse(text);
  const isPlain =
    url !== null && /^https?:$/.test(url.protocol) && url.username + url.password + url.search + url.hash === "";
  if (url === null || !isPlain) {
    throw new OdoroboError("USAGE", "forge.url is not the address of a forge", {
      hint: "https://HOST, without a password in it: the token goes into forge.tokenFile",
    });
  }
  const path = url.pathname.replace(/\/+$/, "");
  if (kind === "github" && (url.host === "github.com" || url.host === "api.github.com"))
    return new URL("https://api.github.com/");
  if (kind === "bitbucket" && url.host === "bitbucket.org") return new URL("https://api.bitbucket.org/2.0");
  const own = API_PATHS[kind];
  url.pathname = path.endsWith(own) ? path : `${path}${own}`;
  return url;
}

const API_PATHS: Readonly<Record<ApiKind, string>> = {
  github: "/api/v3",
  gitea: "/api/v1",
  forgejo: "/api/v1",
  gitlab: "/api/v4",
  bitbucket: "/2.0",
};
