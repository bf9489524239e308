/**
 * Which pages are the gateway's own: those that it was reached at, or that `publicUrl` says it is reached at. What others would change is
 * refused.
 */
import { isLoopbackHost, type ListenAddress } from "../../../platform/http/listen-address.ts";

export interface OwnPlace {
  readonly listen: ListenAddress;
  readonly isTls: boolean;
  readonly publicUrl: string | null;
}

/**
 * `host`: the header, as a browser sends it. On loopback no other names count than those of loopback: a page that had its own name
 * rebound to this machine is still a stranger's.
 */
export const ownOrigin =
  ({ listen, isTls, publicUrl }: OwnPlace) =>
  (origin: string, host: string | null): boolean => {
    if (publicUrl !== null && origin === new URL(publicUrl).origin) return true;
    if (host === null || origin !== `${isTls ? "https" : "http"}://${host.toLowerCase()}`) return false;
    return listen.kind === "unix" || !isLoopbackHost(listen.host) || isLoopbackHost(nameIn(host));
  };

/** `127.0.0.1:8900` → `127.0.0.1`, `[::1]:8900` → `::1`. */
const nameIn = (host: string): string => host.replace(/:\d+$/, "").replace(/^\[(.*)\]$/, "$1");
