/**
 * What stands between a gateway and the network: secrets, gate, limits, and the routes.
 *
 *   gateway.ts → [gateway-door.ts] → platform/http/server.ts → routes.ts
 */
import type { IncomingMessage, ServerResponse } from "node:http";
import { type ErrorCode, OdoroboError } from "../../../model/errors.ts";
import type { Clock } from "../../../platform/clock.ts";
import { errorAnswer } from "../../../platform/http/answers.ts";
import { openAccessFile } from "../../../platform/http/door/access-file.ts";
import { createGate, type Gate } from "../../../platform/http/door/gate.ts";
import { openTokenFile } from "../../../platform/http/door/token-file.ts";
import { WrongTokens } from "../../../platform/http/door/wrong-tokens.ts";
import { formatListenAddress, isLocal } from "../../../platform/http/listen-address.ts";
import { headersOf } from "../../../platform/http/node-messages.ts";
import { serve } from "../../../platform/http/server.ts";
import { followTlsFiles, readTlsFiles } from "../../../platform/http/tls-files.ts";
import type { Logger } from "../../../platform/logger.ts";
import type { GatewayConfig } from "../gateway-config.ts";
import { ConsoleRelay } from "../guests/console-relay.ts";
import { OIDC_START, OidcRoutes } from "../oidc/oidc-routes.ts";
import { ownersOf } from "../page/credentials.ts";
import { EVERY_ANSWER } from "../page/headers.ts";
import { ownOrigin } from "../page/own-origin.ts";
import { openPageDoor } from "../page/page-door.ts";
import { PageFiles } from "../page/page-files.ts";
import { sessionGate } from "../page/session-gate.ts";
import { Sessions } from "../page/sessions.ts";
import type { Parts } from "./call.ts";
import { createHandler } from "./handler.ts";
import { unguardedRoutes } from "./unguarded.ts";

export interface DoorOptions extends Omit<Parts, "stopping" | "sessions"> {
  readonly config: Pick<GatewayConfig, "listen" | "door" | "publicUrl" | "signIn">;
  /** Of what comes to `/v1/hooks/`; left out: nothing is heard there. */
  readonly hooks?: (request: IncomingMessage, response: ServerResponse) => Promise<void>;
  /** Left out: the one that was built. */
  readonly pageFolder?: string | undefined;

  readonly clock: Clock;
  readonly log: Logger;
}

/** Rejects with AGENT_INSECURE, AGENT_CONFIG or ADDRESS_IN_USE. */
export async function openGatewayDoor(options: DoorOptions): Promise<AsyncDisposable & { readonly url: string }> {
  const { config, clock, log } = options;
  refuseStrangers(config);
  const { tokenFile, accessFile, tls: files } = config.door;
  const token = tokenFile === null ? null : await openTokenFile(tokenFile);
  const access = accessFile === null ? null : await openAccessFile(accessFile);
  const tls = files === null ? null : await readTlsFiles(files);
  await using opened = new AsyncDisposableStack();
  const stopping = new AbortController();
  const clientCertificates = tls !== null && tls.clientCa !== null;
  const { listen, publicUrl } = config;
  const oidc = config.signIn?.oidc ?? null;
  if (oidc !== null && publicUrl === null)
    throw new OdoroboError("AGENT_CONFIG", "people are sent back from the provider to publicUrl, which is not said", {
      hint: "say publicUrl in gateway.yaml, as people's browsers reach this gateway",
    });
  const isOnlyWay = oidc !== null && token === null && access === null && !clientCertificates;
  const isOwnOrigin = ownOrigin({ listen, isTls: tls !== null, publicUrl });
  const sessions = opened.use(new Sessions(clock, config.signIn?.sessionMs));
  const gate = sessionGate(
    lookersOnly(
      createGate({
        who: "gateway",
        token,
        access,
        clientCertificates,
        wrongTokens: new WrongTokens(clock),
        isOwnOrigin,
      }),
    ),
    { sessions, isOwnOrigin, clientCertificates, isOnlyWay },
  );
  const consoles = new ConsoleRelay({ fleets: options.fleets, log });
  const parts = { ...options, sessions, stopping: stopping.signal };
  const page = openPageDoor({
    files: new PageFiles(options.pageFolder),
    sessions,
    isOwnOrigin,
    isTls: tls !== null,
    asksFor: { token: token !== null || access !== null, certificate: clientCertificates },
    oidc: oidc === null ? null : { start: OIDC_START, name: oidc.name },
    provider:
      oidc === null || publicUrl === null ? null : new OidcRoutes({ config: oidc, publicUrl, sessions, clock, log }),
    ownerOf: ownersOf({ token, access }),
    clock,
    log,
  });
  const server = opened.use(
    await serve({
      who: "gateway",
      addresses: [config.listen],
      handler: createHandler(parts),
      openNotes: (): { code: ErrorCode | null } => ({ code: null }),
      gate,
      tls,
      log,
      clock,
      errorAnswer: (_, error) => errorAnswer(error),
      unguarded: unguardedRoutes(parts, { hooks: options.hooks, page }),
      headers: EVERY_ANSWER,
      upgrades: {
        isWanted: ({ headers }) => headers.upgrade?.toLowerCase() === "websocket",
        async open(request, socket, head, door) {
          const caller = await door.enter(request, headersOf(request), true);
          if (!ConsoleRelay.isWanted(request))
            throw new OdoroboError("NOT_FOUND", "there is no WebSocket at this address of the gateway");
          await consoles.accept(request, socket, head, caller);
        },
      },
    }),
  );
  if (files !== null && tls !== null)
    opened.use(followTlsFiles(files, { first: tls, onChange: (renewed) => server.renewTls(renewed), log }));
  opened.use(consoles);
  opened.defer(() => stopping.abort());
  if (tls === null && !isLocal(config.listen))
    log.warn({}, "tokens cross the network unencrypted; tls in gateway.yaml changes that, or a proxy before it");
  const running = opened.move();
  return { url: server.urls[0] ?? "", [Symbol.asyncDispose]: () => running.disposeAsync() };
}

/** Who says yes to a plan changes guests: who can reach the gateway and nothing else must not be enough. */
function refuseStrangers({ listen, door, signIn }: DoorOptions["config"]): void {
  if (signIn?.oidc) return;
  if (door.tokenFile !== null || door.accessFile !== null || door.tls?.clientCaFile || isLocal(listen)) return;
  throw new OdoroboError(
    "AGENT_INSECURE",
    `${formatListenAddress(listen)} can be reached from other machines, and anybody would be let in`,
    { hint: "say tokenFile, accessFile or tls.clientCaFile; or listen on 127.0.0.1 or unix:///path" },
  );
}

/** Whoever is on this machine may look. To change things they show who they are: a token, or that they may open the socket. */
const lookersOnly =
  (gate: Gate): Gate =>
  async (knock) => {
    const caller = await gate(knock);
    return caller.name === "loopback" ? { ...caller, role: "observe" } : caller;
  };
