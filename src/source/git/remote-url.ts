/** Addresses of repositories: what may be shown of them, and what has to stay secret. */

export interface RemoteUrl {
  /** For git and for people: without passwords and tokens. */
  readonly url: string;
  /** As they were written in the address, decoded; null: none. */
  readonly secrets: { readonly username: string; readonly password: string } | null;
  /** What secrets are for; null: it is not HTTP, and takes none. */
  readonly origin: string | null;
}

/** `scheme://…`, or `user@host:path` as ssh writes it. */
export const isRemote = (repo: string): boolean =>
  /^[a-z][a-z0-9+.-]*:\/\//i.test(repo) || /^[^/\\:]+@[^/\\:]+:/.test(repo);

export function parseRemote(repo: string): RemoteUrl {
  if (!URL.canParse(repo) || !repo.includes("://")) return { url: withoutUserinfo(repo), secrets: null, origin: null };
  const url = new URL(repo);
  const { username, password, protocol } = url;
  const isHttp = protocol === "http:" || protocol === "https:";
  // `ssh://git@host`: there the name is part of the address, and no secret.
  url.password = "";
  if (isHttp) url.username = "";
  const hasSecrets = isHttp && (username !== "" || password !== "");
  const secrets = hasSecrets ? { username: decode(username), password: decode(password) } : null;
  return { url: url.toString(), secrets, origin: isHttp ? url.origin : null };
}

/** For texts that may quote an address. */
export const withoutUserinfo = (text: string): string => text.replaceAll(/([a-z][a-z0-9+.-]*:\/\/)[^/\s@]*@/gi, "$1");

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
