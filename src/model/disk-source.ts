/** The forms that the URL of an external disk may have, taken apart. Which of them a node can open its hypervisors' capabilities say. Pure. */

export type DiskSource =
  | { readonly kind: "file"; readonly path: string }
  | { readonly kind: "nbd"; readonly host: string; readonly port: string; readonly exportName: string | null }
  | { readonly kind: "nbd+unix"; readonly socket: string; readonly exportName: string | null }
  | { readonly kind: "rbd"; readonly pool: string; readonly image: string }
  | { readonly kind: "iscsi"; readonly portal: string; readonly target: string; readonly lun: number };

export const DISK_SOURCE_FORMS =
  "give file:///PATH, nbd://HOST[:PORT]/EXPORT, nbd+unix:///EXPORT?socket=PATH, rbd://POOL/IMAGE or iscsi://HOST[:PORT]/TARGET/LUN";

/** 10809 is the port that IANA gave to NBD. */
const NBD_PORT = "10809";

/** Null: it has none of the forms. */
export function parseDiskSource(text: string): DiskSource | null {
  try {
    return URL.canParse(text) ? parseUrl(new URL(text)) : null;
  } catch (error) {
    // A % that is followed by no byte.
    if (error instanceof URIError) return null;
    throw error;
  }
}

function parseUrl(url: URL): DiskSource | null {
  const path = decodeURIComponent(url.pathname);
  const parts = path.split("/").filter((part) => part !== "");
  const [first = null, second, ...more] = parts;
  switch (url.protocol) {
    case "file:":
      return url.host === "" && path.startsWith("/") ? { kind: "file", path } : null;
    case "nbd:": {
      const host = url.hostname.replace(/^\[|\]$/g, "");
      if (host === "" || parts.length > 1) return null;
      return { kind: "nbd", host, port: url.port === "" ? NBD_PORT : url.port, exportName: first };
    }
    case "nbd+unix:": {
      // nbd+unix:///EXPORT?socket=PATH, as in NBD's own URI specification.
      const socket = url.searchParams.get("socket");
      return socket?.startsWith("/") && parts.length <= 1 ? { kind: "nbd+unix", socket, exportName: first } : null;
    }
    case "rbd:":
      // The pool stands where other URLs have the host.
      if (url.host === "" || first === null || parts.length > 1) return null;
      return { kind: "rbd", pool: decodeURIComponent(url.host), image: first };
    case "iscsi:":
      if (url.host === "" || first === null || more.length > 0 || !/^\d+$/.test(second ?? "0")) return null;
      return { kind: "iscsi", portal: url.host, target: first, lun: Number(second ?? "0") };
    default:
      return null;
  }
}
