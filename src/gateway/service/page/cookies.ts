/** The cookies of the page, as RFC 6265 has them: no script reads them, and no other site has them sent. */

/** A cookie of that name is believed only when it was set by this very host, over TLS. */
const HOST_PREFIX = "__Host-";
export const SESSION_COOKIE = "odorobo-session";

/** `isSecure`: the browser came by https. */
export const sessionCookie = (id: string, { isSecure, seconds }: { isSecure: boolean; seconds: number }): string =>
  [
    `${nameOf(isSecure)}=${id}`,
    "Path=/",
    "HttpOnly",
    "SameSite=Strict",
    `Max-Age=${Math.floor(seconds)}`,
    ...(isSecure ? ["Secure"] : []),
  ].join("; ");

/** Takes away whichever of the two was set. */
export const noSessionCookies = (): readonly string[] =>
  [true, false].map((isSecure) => sessionCookie("", { isSecure, seconds: 0 }));

/** What may be a session's id; null: none was sent. One that was set over TLS counts more: others can be slipped in from beside. */
export function sessionIn(headers: Headers): string | null {
  const sent = cookiesIn(headers);
  return sent.get(nameOf(true)) ?? sent.get(nameOf(false)) ?? null;
}

export function cookiesIn(headers: Headers): ReadonlyMap<string, string> {
  const pairs = (headers.get("cookie") ?? "").split(/; */).flatMap((pair) => {
    const at = pair.indexOf("=");
    const [name, value] = [pair.slice(0, at).trim(), pair.slice(at + 1).trim()];
    // Ids of ours have nothing else in them.
    return at > 0 && /^[\w.~-]{1,200}$/.test(value) ? [[name, value] as const] : [];
  });
  // The first of two with the same name is the one with the longer path, or the older one.
  return new Map(pairs.reverse());
}

const nameOf = (isSecure: boolean): string => (isSecure ? HOST_PREFIX : "") + SESSION_COOKIE;
