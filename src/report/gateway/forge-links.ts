/** Where a browser finds commits and lines of manifests at the forge. Pure: nothing is asked. */
import type { SourcePosition } from "../../model/source-position.ts";
import type { ForgeLinks } from "./gateway-documents.ts";

export type { ForgeLinks } from "./gateway-documents.ts";

/** Of which forge; `generic` has no pages that we know of. */
export type LinkedForge = "github" | "gitlab" | "gitea" | "forgejo" | "bitbucket";

export interface ForgePlace {
  readonly kind: LinkedForge;
  /** Of its API or of the forge itself; null: as the repository's address says. */
  readonly api: { readonly url: string; readonly repository: string } | null;
  /** Of the repository, without passwords. */
  readonly url: string;
  /** The folder of the manifests in it; null: its root. */
  readonly path: string | null;
}

const FILES: Readonly<Record<LinkedForge, string>> = {
  github: "blob/{commit}/{file}#L{line}",
  gitlab: "-/blob/{commit}/{file}#L{line}",
  gitea: "src/commit/{commit}/{file}#L{line}",
  forgejo: "src/commit/{commit}/{file}#L{line}",
  bitbucket: "src/{commit}/{file}#lines-{line}",
};
const COMMITS: Readonly<Record<LinkedForge, string>> = {
  github: "commit/{commit}",
  gitlab: "-/commit/{commit}",
  gitea: "commit/{commit}",
  forgejo: "commit/{commit}",
  bitbucket: "commits/{commit}",
};

/** Null: it cannot be said. Only addresses of the web are: whatever else a configuration holds, no link of ours runs anything. */
export function forgeLinks({ kind, api, url, path }: ForgePlace): ForgeLinks | null {
  const base = api === null ? ofRepository(url) : ofApi(api.url, api.repository);
  if (base === null) return null;
  const folder = (path ?? "")
    .split("/")
    .filter((part) => part !== "" && part !== ".")
    .map((part) => `${encodeURIComponent(part)}/`)
    .join("");
  return {
    file: `${base}/${FILES[kind].replace("{file}", `${folder}{file}`)}`,
    commit: `${base}/${COMMITS[kind]}`,
  };
}

export function fileLink(
  links: Pick<ForgeLinks, "file"> | null,
  commit: string | null,
  { file, line }: Pick<SourcePosition, "file" | "line">,
): string | null {
  if (links === null || commit === null) return null;
  const path = file.split("/").map(encodeURIComponent).join("/");
  return fill(links.file, { commit, file: path, line: String(line) });
}

export const commitLink = (links: Pick<ForgeLinks, "commit"> | null, commit: string | null): string | null =>
  links === null || commit === null ? null : fill(links.commit, { commit });

const fill = (pattern: string, values: Readonly<Record<string, string>>): string =>
  pattern.replaceAll(/\{(\w+)\}/g, (whole, name: string) => values[name] ?? whole);

/** `https://api.github.com` → `https://github.com`, `https://forge.example/api/v3` → `https://forge.example`. */
function ofApi(api: string, repository: string): string | null {
  const url = webUrl(api);
  if (url === null) return null;
  const host = { "api.github.com": "github.com", "api.bitbucket.org": "bitbucket.org" }[url.host] ?? url.host;
  const folder = url.pathname.replace(/\/(api\/v\d+|rest\/api.*|2\.0)?\/?$/, "");
  return `${url.protocol}//${host}${folder}/${repository.split("/").map(encodeURIComponent).join("/")}`;
}

/** `ssh://git@forge.example/team/fleet.git`, `git@forge.example:team/fleet.git`, `https://…`: where its pages are, if they are at its host. */
function ofRepository(url: string): string | null {
  const ssh = /^(?:ssh:\/\/)?[^/@\s]+@([^:/\s]+)(?::\d+(?=\/))?[:/]+(.+)$/.exec(url);
  const [, host, path] = ssh ?? [];
  if (host !== undefined && path !== undefined) return `https://${host}/${tidy(path)}`;
  const web = webUrl(url);
  return web === null ? null : `${web.origin}/${tidy(web.pathname)}`;
}

const tidy = (path: string): string =>
  path
    .replace(/^\/+|\/+$/g, "")
    .replace(/\.git$/, "")
    .split("/")
    .map((part) => encodeURIComponent(decode(part)))
    .join("/");

function decode(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

function webUrl(text: string): URL | null {
  if (!URL.canParse(text)) return null;
  const url = new URL(text);
  return url.protocol === "https:" || url.protocol === "http:" ? url : null;
}
