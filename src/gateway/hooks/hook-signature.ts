/**
 * Who sent it: each forge has a scheme of its own, all over the bytes as they came. Compared in constant time, with each of the
 * secrets, so that nothing is learned from how long that takes; an empty or missing signature is none.
 */
import { createHash, createHmac, timingSafeEqual } from "node:crypto";
import type { ForgeKind, HookHeaders, HookRequest } from "./hook-event.ts";
import { payloadOf } from "./hook-payload.ts";

/**
 * `unique`: what of it the sender vouches for, as a digest: the same again is a replay. `sentAt`: in seconds since 1970, where the
 * scheme signs it.
 */
export type Verdict =
  | { readonly isTrue: true; readonly unique: string; readonly sentAt: number | null }
  | { readonly isTrue: false; readonly why: string };

export function verifySignature(kind: ForgeKind, request: HookRequest, secrets: readonly string[]): Verdict {
  if (secrets.length === 0) return no("there is no secret to check it with");
  const { headers } = request;
  switch (kind) {
    case "github":
      return verifyHex(request, secrets, one(headers, "x-hub-signature-256"), "sha256=", "X-Hub-Signature-256");
    case "bitbucket":
      // SHA-256 in the header that GitHub has SHA-1 in.
      return verifyHex(request, secrets, one(headers, "x-hub-signature"), "sha256=", "X-Hub-Signature");
    case "gitea":
      return verifyGitea(request, secrets, one(headers, "x-gitea-signature"), "X-Gitea-Signature");
    case "forgejo": {
      const own = one(headers, "x-forgejo-signature");
      if (own !== undefined) return verifyGitea(request, secrets, own, "X-Forgejo-Signature");
      return verifyGitea(request, secrets, one(headers, "x-gitea-signature"), "X-Gitea-Signature");
    }
    case "gitlab":
      return verifyGitLab(request, secrets);
    case "generic":
      return verifyGeneric(request, secrets);
  }
}

const no = (why: string): Verdict => ({ isTrue: false, why });

/** Undefined: not there, or there more than once. */
export function one(headers: HookHeaders, name: string): string | undefined {
  const value = headers[name];
  return typeof value === "string" ? value : undefined;
}

const hmac = (secret: string | Buffer, ...parts: readonly (string | Buffer)[]): Buffer =>
  parts.reduce<ReturnType<typeof createHmac>>((mac, part) => mac.update(part), createHmac("sha256", secret)).digest();

/** All are tried, whichever fits. Lengths are no secret: of digests they are the scheme's. */
const fitsOne = (given: Buffer, expected: readonly Buffer[]): boolean =>
  expected.filter((each) => each.length === given.length && timingSafeEqual(each, given)).length > 0;

const digest = (...parts: readonly (string | Buffer)[]): string => {
  const sha = createHash("sha256");
  for (const part of parts) sha.update(part);
  return sha.digest("base64");
};

function verifyHex(
  { body }: HookRequest,
  secrets: readonly string[],
  header: string | undefined,
  prefix: string,
  name: string,
): Verdict {
  if (header === undefined || header === "") return no(`${name} is missing or empty`);
  const hex = header.startsWith(prefix) ? header.slice(prefix.length) : "";
  if (!/^[0-9a-f]{64}$/i.test(hex)) return no(`${name} is not ${prefix}HEX of 64 digits`);
  const expected = secrets.map((secret) => hmac(secret, body));
  if (!fitsOne(Buffer.from(hex, "hex"), expected)) return no(`${name} is of another secret or another body`);
  return { isTrue: true, unique: digest(body), sentAt: null };
}

/** Older ones sign the JSON inside of a form, not the form. */
function verifyGitea(
  request: HookRequest,
  secrets: readonly string[],
  header: string | undefined,
  name: string,
): Verdict {
  const verdict = verifyHex(request, secrets, header, "", name);
  const payload = payloadOf(request);
  if (verdict.isTrue || payload === null || payload === request.body) return verdict;
  return verifyHex({ ...request, body: payload }, secrets, header, "", name);
}

const SIGNING_TOKEN = "whsec_";

/**
 * A secret that begins with `whsec_` is a signing token and is never taken as a plain one: who could read the plain header of one
 * delivery would otherwise have it. https://docs.gitlab.com/user/project/integrations/webhooks/
 */
function verifyGitLab({ headers, body }: HookRequest, secrets: readonly string[]): Verdict {
  const signing = secrets.filter((secret) => secret.startsWith(SIGNING_TOKEN));
  const plain = secrets.filter((secret) => !secret.startsWith(SIGNING_TOKEN));
  const [id, timestamp, signature] = ["webhook-id", "webhook-timestamp", "webhook-signature"].map((name) =>
    one(headers, name),
  );
  if (signing.length > 0 && signature !== undefined && signature !== "") {
    if (id === undefined || id === "" || timestamp === undefined || !/^\d{1,12}$/.test(timestamp))
      return no("webhook-id or webhook-timestamp is missing");
    const signed = [`${id}.${timestamp}.`, body];
    const keys = signing.map((secret) => Buffer.from(secret.slice(SIGNING_TOKEN.length), "base64"));
    const expected = keys.filter((key) => key.length > 0).map((key) => hmac(key, ...signed));
    // While tokens are changed there may be several, apart by spaces. A few, not as many as a header holds.
    const given = signature.split(" ", 5).flatMap((each) => (each.startsWith("v1,") ? [each.slice(3)] : []));
    if (given.some((each) => fitsOne(Buffer.from(each, "base64"), expected)))
      return { isTrue: true, unique: digest(...signed), sentAt: Number(timestamp) };
    if (plain.length === 0) return no("webhook-signature is of another signing token or another body");
  }
  const token = one(headers, "x-gitlab-token");
  if (token === undefined || token === "") return no("webhook-signature and X-Gitlab-Token are missing or empty");
  // Of equal length whatever was given.
  const sha = (text: string) => createHash("sha256").update(text).digest();
  if (!fitsOne(sha(token), plain.map(sha))) return no("X-Gitlab-Token is another");
  return { isTrue: true, unique: digest(`${one(headers, "idempotency-key") ?? ""}.`, body), sentAt: null };
}

/** Our own, for whatever can run `openssl dgst`: the time is signed with the body. */
function verifyGeneric(request: HookRequest, secrets: readonly string[]): Verdict {
  const timestamp = one(request.headers, "x-odorobo-timestamp");
  if (timestamp === undefined || !/^\d{1,12}$/.test(timestamp))
    return no("X-Odorobo-Timestamp is missing, or not in seconds since 1970");
  const signed = Buffer.concat([Buffer.from(`${timestamp}.`), request.body]);
  const header = one(request.headers, "x-odorobo-signature");
  const verdict = verifyHex({ ...request, body: signed }, secrets, header, "sha256=", "X-Odorobo-Signature");
  return verdict.isTrue ? { ...verdict, sentAt: Number(timestamp) } : verdict;
}
