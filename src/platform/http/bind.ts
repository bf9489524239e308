/** Opens a server's listening socket: a taken address is told from a dead agent's leftover, and a Unix socket is for its owner only. */
import { rm } from "node:fs/promises";
import type { Server } from "node:http";
import type { AddressInfo } from "node:net";
import { isErrno, OdoroboError } from "../../model/errors.ts";
import { isAnswered } from "../unix-socket.ts";
import { bracketed, formatListenAddress, type ListenAddress } from "./listen-address.ts";

/** `who`: `agent`, for messages. Rejects with ADDRESS_IN_USE or AGENT_CONFIG. */
export async function bind(server: Server, address: ListenAddress, who: string): Promise<void> {
  try {
    await listen(server, address);
  } catch (error) {
    if (!isErrno(error, "EADDRINUSE")) throw cannotListen(address, who, error);
    if (address.kind === "tcp" || (await isAnswered(address.path))) throw inUse(address, who, error);
    await rm(address.path, { force: true });
    await listen(server, address).catch((again) => {
      throw cannotListen(address, who, again);
    });
  }
}

export function urlOf(server: Server, address: ListenAddress, isTls: boolean): string {
  if (address.kind === "unix") return formatListenAddress(address);
  return `${isTls ? "https" : "http"}://${bracketed(address.host)}:${(server.address() as AddressInfo).port}`;
}

function listen(server: Server, address: ListenAddress): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    const onListening = () => {
      server.off("error", reject);
      resolve();
    };
    if (address.kind === "tcp") return void server.listen(address.port, address.host, onListening);
    // The file is made within this call: at no moment may others open it.
    const before = process.umask(0o177);
    try {
      server.listen(address.path, onListening);
    } finally {
      process.umask(before);
    }
  });
}

const inUse = (address: ListenAddress, who: string, cause: unknown) =>
  new OdoroboError("ADDRESS_IN_USE", `another process listens on ${formatListenAddress(address)}`, {
    cause,
    hint: `is ${who === "agent" ? "an" : "a"} ${who} running already? give another address with --listen`,
  });

const cannotListen = (address: ListenAddress, who: string, cause: unknown) =>
  new OdoroboError("AGENT_CONFIG", `cannot listen on ${formatListenAddress(address)}`, {
    cause,
    hint: `is it an address of this machine, and may the ${who} use it?`,
  });
