/** What we show an agent: a bearer token, a client certificate. Read from their files once, when first needed. */
import { readFile } from "node:fs/promises";
import { OdoroboError } from "../model/errors.ts";
import type { OrderTerm } from "./order-term.ts";

export interface CredentialSettings {
  readonly token?: string | undefined;
  readonly tokenFile?: string | undefined;
  readonly tls?: TlsFiles | undefined;
  /** In which term of a cluster it is ordered, asked at each order; null, or left out: in none. */
  readonly term?: (() => OrderTerm | null) | undefined;
}

export interface TlsFiles {
  /** Who signs agents' certificates; without it, the system's own list. */
  readonly caFile?: string | undefined;
  readonly certFile?: string | undefined;
  readonly keyFile?: string | undefined;
}

export interface Credentials {
  readonly headers: Readonly<Record<string, string>>;
  readonly tls: { readonly ca?: Buffer; readonly cert?: Buffer; readonly key?: Buffer };
}

export async function readCredentials(settings: CredentialSettings): Promise<Credentials> {
  const { caFile, certFile, keyFile } = settings.tls ?? {};
  const [tokenText, ca, cert, key] = await Promise.all([
    readOptional(settings.tokenFile),
    readOptional(caFile),
    readOptional(certFile),
    readOptional(keyFile),
  ]);
  const token = settings.token ?? tokenText?.toString("utf8").trim();
  if (token !== undefined && !/^[!-~]+$/.test(token)) {
    throw new OdoroboError(
      "USAGE",
      `the token${settings.tokenFile ? ` in ${settings.tokenFile}` : ""} is not one word`,
    );
  }
  return {
    headers: token === undefined ? {} : { authorization: `Bearer ${token}` },
    tls: { ...(ca && { ca }), ...(cert && { cert }), ...(key && { key }) },
  };
}

async function readOptional(path: string | undefined): Promise<Buffer | undefined> {
  if (path === undefined) return undefined;
  return await readFile(path).catch((cause) => {
    throw new OdoroboError("USAGE", `cannot read ${path}`, {
      cause,
      hint: "it is named as an agent's token or certificate",
    });
  });
}
