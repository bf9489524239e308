/** What is wrong with a gateway's file in the light of the rest of it. */
import type { GatewayFile, GatewayFleetEntry } from "../text/gateway-schema.ts";
import type { Segments } from "../text/places.ts";
import { parseDurationMs } from "../vm/quantities.ts";
import type { GatewayFinding } from "./gateway-finding.ts";

type Finding = GatewayFinding & { readonly at: Segments };

export function crossChecks(file: GatewayFile): readonly Finding[] {
  return [
    ...checkDoor(file),
    ...checkCluster(file),
    ...checkSignIn(file),
    ...file.fleets.flatMap((fleet, index) => [...checkFleet(fleet, ["fleets", index], file)]),
    ...findTwins(file),
  ];
}

function* checkDoor({ listen = "", tokenFile, accessFile, tls, signIn }: GatewayFile): Generator<Finding> {
  const isUnix = listen.startsWith("unix:");
  const isGuarded =
    tokenFile !== undefined ||
    accessFile !== undefined ||
    tls?.clientCaFile !== undefined ||
    signIn?.oidc !== undefined;
  if (listen !== "" && !isUnix && !isLoopback(listen) && !isGuarded) {
    yield {
      at: ["listen"],
      code: "missing-field",
      message: "this can be reached from other machines, and anybody would be let in",
      hint: "say tokenFile, accessFile or tls.clientCaFile; or listen on 127.0.0.1 or unix:///path",
    };
  }
  if (tls !== undefined && isUnix) yield { at: ["tls"], ...noEffect("a Unix socket is served without TLS") };
}

function* checkCluster({ cluster }: GatewayFile): Generator<Finding> {
  if (cluster === undefined) return;
  const { endpoints, tls } = cluster.etcd;
  const at = ["cluster", "etcd"];
  const secure = endpoints.filter((endpoint) => endpoint.startsWith("https:")).length;
  if (secure > 0 && secure < endpoints.length)
    yield {
      at: [...at, "endpoints"],
      code: "conflicting-fields",
      message: "some members are asked with TLS, and some without",
      hint: "https:// for all of them",
    };
  if (tls !== undefined && secure === 0) yield { at: [...at, "tls"], ...noEffect("these endpoints have no TLS") };
  if ((tls?.certFile === undefined) !== (tls?.keyFile === undefined))
    yield {
      at: [...at, "tls"],
      code: "missing-field",
      message: `${tls?.certFile === undefined ? "certFile" : "keyFile"} is missing`,
      hint: "a certificate and its key go together",
    };
}

function* checkSignIn({ signIn, publicUrl, listen = "" }: GatewayFile): Generator<Finding> {
  if (signIn === undefined) return;
  const at = ["signIn"];
  yield* checkDuration(signIn.lifetime, [...at, "lifetime"], 1_000);
  const { oidc } = signIn;
  if (oidc === undefined) return;
  if (publicUrl === undefined)
    yield {
      at: [...at, "oidc"],
      code: "missing-field",
      message: "people are sent back from the provider to publicUrl, which is not said",
      hint: "say publicUrl, as people's browsers reach this gateway",
    };
  if (/^http:/.test(oidc.issuer) && !isLoopback(`${new URL(oidc.issuer).host}:`))
    yield {
      at: [...at, "oidc", "issuer"],
      code: "bad-value",
      message: "what this provider says could be changed on its way: it is asked without TLS",
      hint: "use its https:// address; http:// is for one on this machine that is tried out",
    };
  if (!(oidc.scopes ?? ["openid"]).includes("openid"))
    yield {
      at: [...at, "oidc", "scopes"],
      code: "bad-value",
      message: "without the scope openid the provider says nothing of who somebody is",
      hint: "add openid",
    };
  if (listen.startsWith("unix:")) yield { at, ...noEffect("who may open the Unix socket is in already") };
}

const isLoopback = (listen: string): boolean => /^(127\.[0-9.]+|\[::1\]|localhost):/i.test(listen);

function* checkFleet(fleet: GatewayFleetEntry, at: Segments, { publicUrl }: GatewayFile): Generator<Finding> {
  const { interval, forge, agents } = fleet;
  yield* checkDuration(interval, [...at, "interval"], 1_000);
  yield* checkDuration(agents?.timeout, [...at, "agents", "timeout"], 1);
  yield* checkRepository(fleet, [...at, "repository"]);
  const { tls } = agents ?? {};
  if ((tls?.certFile === undefined) !== (tls?.keyFile === undefined)) {
    const missing = tls?.certFile === undefined ? "certFile" : "keyFile";
    yield {
      at: [...at, "agents", "tls"],
      code: "missing-field",
      message: `${missing} is missing`,
      hint: "a certificate and its key go together",
    };
  }
  if (forge === undefined) return;
  const place = [...at, "forge"];
  const api = { url: forge.url, repository: forge.repository, tokenFile: forge.tokenFile };
  const missing = Object.entries(api).filter(([, value]) => value === undefined);
  if (missing.length > 0 && missing.length < 3) {
    yield {
      at: place,
      code: "missing-field",
      message: `${missing.map(([name]) => name).join(" and ")} ${missing.length === 1 ? "is" : "are"} missing`,
      hint: "to tell the forge of commits it needs url, repository and tokenFile",
    };
  }
  if (forge.pullRequests && missing.length > 0) {
    yield {
      at: [...place, "pullRequests"],
      code: "conflicting-fields",
      message: "plans of pull requests are told as comments, and the forge cannot be told anything",
      hint: "say url, repository and tokenFile",
    };
  }
  if (forge.forks && !forge.pullRequests)
    yield { at: [...place, "forks"], ...noEffect("pull requests are not planned: pullRequests is not said") };
  if (forge.caFile !== undefined && !/^https:/.test(forge.url ?? ""))
    yield { at: [...place, "caFile"], ...noEffect("there is no https address that it would be for") };
  if (forge.kind === "bitbucket" && forge.url !== undefined && !isBitbucketCloud(forge.url)) {
    yield {
      at: [...place, "url"],
      code: "bad-value",
      message: "a Bitbucket of your own (Data Center) has another API, and is told nothing",
      hint: "its hooks are heard: leave url, repository, tokenFile and pullRequests out, and keep hookSecretFile",
    };
  }
  if (forge.kind === "generic" && missing.length < 3)
    yield { at: [...place, "kind"], ...noEffect("a generic forge has hooks only: nothing is told to it") };
  if (missing.length === 3 && forge.hookSecretFile === undefined)
    yield { at: place, ...noEffect("without hookSecretFile no hook is believed, and without url nothing is told") };
  if (missing.length === 0 && publicUrl === undefined)
    yield { at: place, ...noEffect("commit statuses have no link, because publicUrl is not said") };
}

const isBitbucketCloud = (url: string): boolean => {
  const host = URL.parse(url)?.hostname ?? "";
  return host === "bitbucket.org" || host === "api.bitbucket.org";
};

function* checkRepository({ repository }: GatewayFleetEntry, at: Segments): Generator<Finding> {
  const { url, sshKeyFile, knownHostsFile, tokenFile, caFile, username } = repository;
  if (/^[a-z+]+:\/\/[^/@\s]*:[^/@\s]*@/i.test(url) || /^https?:\/\/[^/@\s]+@/i.test(url)) {
    yield {
      at: [...at, "url"],
      code: "bad-value",
      message: "this address has a password or token in it",
      hint: "put it into a file that only the gateway can read, and name that as tokenFile",
    };
  }
  if (username !== undefined && tokenFile === undefined)
    yield { at: [...at, "username"], ...noEffect("username goes with tokenFile, and there is none") };
  const isWeb = /^https?:\/\//i.test(url);
  const forSsh = { sshKeyFile, knownHostsFile };
  const forWeb = { tokenFile, caFile };
  for (const [name, path] of Object.entries(isWeb ? forSsh : forWeb))
    if (path !== undefined)
      yield { at: [...at, name], ...noEffect(`${name} is for ${isWeb ? "SSH" : "HTTPS"}, and this address is none`) };
}

function* checkDuration(text: string | undefined, at: Segments, leastMs: number): Generator<Finding> {
  if (text === undefined) return;
  const parsed = parseDurationMs(text);
  if (!parsed.ok) yield { at, code: "bad-duration", message: parsed.message, hint: parsed.hint };
  else if (parsed.value < leastMs)
    yield { at, code: "bad-value", message: `this is shorter than ${leastMs} ms`, hint: "at least 1s" };
}

/** Two that turn the same would undo what the other does. */
function* findTwins({ fleets }: GatewayFile): Generator<Finding> {
  const names = new Map<string, number>();
  const places = new Map<string, number>();
  for (const [index, { name, repository }] of fleets.entries()) {
    const twin = names.get(name);
    if (twin !== undefined) {
      yield {
        at: ["fleets", index, "name"],
        code: "duplicate-name",
        message: `another fleet is called ${name}, too: fleets[${twin}]`,
        hint: "names are in addresses and hooks: give each its own",
      };
    } else names.set(name, index);
    const place = placeOf(repository);
    const other = places.get(place);
    if (other === undefined) places.set(place, index);
    else
      yield {
        at: ["fleets", index, "repository"],
        code: "duplicate-name",
        message: `fleets[${other}] has the same repository and path`,
        hint: "two entries that turn one fleet undo what the other does: remove one of them",
      };
  }
}

/** Two refs of one repository may be two fleets only if they say so themselves: that is seen when they are read. */
const placeOf = ({ url, ref, path }: GatewayFleetEntry["repository"]): string =>
  JSON.stringify([url.replace(/(\.git)?\/*$/, ""), ref ?? null, (path ?? "").replace(/^(\.?\/+)+|\/+$/g, "")]);

const noEffect = (message: string) => ({
  code: "no-effect" as const,
  severity: "warning" as const,
  message,
  hint: null,
});
