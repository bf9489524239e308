/** The gateway's own machine: its folder, its clock, its door. */
import { access, constants, stat, statfs } from "node:fs/promises";
import { createServer } from "node:net";
import { dirname } from "node:path";
import type { Finding } from "../../../model/doctor-report.ts";
import { isErrno } from "../../../model/errors.ts";
import type { Clock } from "../../../platform/clock.ts";
import { openAccessFile } from "../../../platform/http/door/access-file.ts";
import { openTokenFile } from "../../../platform/http/door/token-file.ts";
import { formatListenAddress, isLocal } from "../../../platform/http/listen-address.ts";
import { readTlsFiles } from "../../../platform/http/tls-files.ts";
import { isAnswered } from "../../../platform/unix-socket.ts";
import type { GatewayConfig } from "../gateway-config.ts";
import { failure, finding, ok } from "./finding.ts";

/** Runs, journals and copies of repositories: below that a push may find no room. */
const ROOM_MIB = 512;
/** When this was written: a clock before that has not been set. */
const NOT_BEFORE = "2026-01-01T00:00:00Z";

export async function checkMachine(config: GatewayConfig, clock: Clock, signal: AbortSignal): Promise<Finding[]> {
  return [
    await checkFolder(config.dataFolder),
    checkClock(clock),
    await checkListen(config, signal),
    ...(await checkSecrets(config)),
  ];
}

async function checkFolder(folder: string): Promise<Finding> {
  try {
    const there = await firstThere(folder);
    await access(there, constants.W_OK | constants.X_OK);
    const { bavail, bsize } = await statfs(there);
    const freeMiB = Math.floor((bavail * bsize) / 1024 ** 2);
    if (freeMiB < ROOM_MIB)
      return finding(
        "warn",
        "data",
        `${folder} has ${freeMiB} MiB left`,
        "make room: runs are begun only when they can be kept",
      );
    if (there !== folder) return ok("data", `${folder} will be made`);
    const { mode } = await stat(folder);
    if ((mode & 0o007) === 0) return ok("data", `${folder} can be written`);
    return finding("warn", "data", `everybody on this machine can look into ${folder}`, `chmod 700 ${folder}`);
  } catch (error) {
    return failure("data", error, `the user of the gateway must be able to write to ${folder}`);
  }
}

async function firstThere(path: string): Promise<string> {
  const isThere = await stat(path).then(
    () => true,
    () => false,
  );
  return isThere || dirname(path) === path ? path : await firstThere(dirname(path));
}

function checkClock(clock: Clock): Finding {
  const now = clock.now();
  if (Date.parse(now) >= Date.parse(NOT_BEFORE)) return ok("clock", `it is ${now}`);
  return finding("fail", "clock", `it is ${now} here`, "set the clock: windows, signatures and webhooks go by it");
}

async function checkListen({ listen }: GatewayConfig, signal: AbortSignal): Promise<Finding> {
  const shown = formatListenAddress(listen);
  if (listen.kind === "unix") {
    if (await isAnswered(listen.path))
      return ok("listen", `somebody answers at ${shown}: a gateway that runs, it seems`);
    const folder = dirname(listen.path);
    return await access(folder, constants.W_OK).then(
      () => ok("listen", `${shown} can be listened at`),
      (error: unknown) => failure("listen", error, `the user of the gateway must be able to write to ${folder}`),
    );
  }
  if (await isGateway(shown, signal)) return ok("listen", `a gateway answers at ${shown}`);
  return await new Promise<Finding>((resolve) => {
    const server = createServer();
    server.once("error", (error) => {
      const hint = isErrno(error, "EADDRINUSE")
        ? "something else listens there: choose another address"
        : "is it an address of this machine?";
      resolve(failure("listen", error, hint));
    });
    server.listen(listen.port, listen.host, () =>
      server.close(() => resolve(ok("listen", `${shown} can be listened at`))),
    );
  });
}

const isGateway = (address: string, signal: AbortSignal): Promise<boolean> =>
  fetch(`http://${address}/healthz`, { signal: AbortSignal.any([signal, AbortSignal.timeout(2_000)]) }).then(
    async (answer) => answer.ok && (await answer.text()).trim() === "alive",
    () => false,
  );

async function checkSecrets({ door, listen }: GatewayConfig): Promise<Finding[]> {
  const { tokenFile, accessFile, tls } = door;
  const attempt = async (check: string, said: string, work: () => Promise<unknown>): Promise<Finding> => {
    try {
      await work();
      return ok(check, said);
    } catch (error) {
      return failure(check, error);
    }
  };
  const findings: Finding[] = [];
  if (tokenFile !== null)
    findings.push(await attempt("token", `${tokenFile} holds a token`, () => openTokenFile(tokenFile)));
  if (accessFile !== null)
    findings.push(await attempt("access", `${accessFile} says who may come in`, () => openAccessFile(accessFile)));
  if (tls !== null) findings.push(await attempt("tls", `${tls.certFile} can be served with`, () => readTlsFiles(tls)));
  else if (!isLocal(listen))
    findings.push(
      finding("warn", "tls", "tokens cross the network unencrypted", "say tls, or put a proxy with TLS before it"),
    );
  if (findings.length === 0 && listen.kind === "tcp")
    findings.push(
      finding(
        "warn",
        "token",
        "whoever is on this machine may look, and nobody may approve over HTTP",
        "say tokenFile or accessFile, or listen on unix:///path; odorobo runs approve --state works at this machine",
      ),
    );
  return findings;
}
