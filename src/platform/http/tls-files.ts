/**
 * The certificate, its key and the client CA, from their files; and again when these change, as tools that renew certificates
 * change them. While the files do not fit together (a new certificate, still the old key) what was read last stays in force.
 */
import { readFile, stat } from "node:fs/promises";
import { createSecureContext } from "node:tls";
import { OdoroboError } from "../../model/errors.ts";
import type { Logger } from "../logger.ts";

export interface TlsSettings {
  readonly cert: Buffer;
  readonly key: Buffer;
  /** Who signs client certificates; null: clients show none. */
  readonly clientCa: Buffer | null;
}

export const secureContext = ({ cert, key, clientCa }: TlsSettings) => ({
  cert,
  key,
  minVersion: "TLSv1.2" as const,
  ...(clientCa === null ? {} : { ca: clientCa }),
});

export interface TlsFiles {
  readonly certFile: string;
  readonly keyFile: string;
  readonly clientCaFile: string | null;
}

/** A renewed certificate is valid long before the old one ends, so nobody waits for this. */
const LOOK_EVERY_MS = 10_000;

/** Rejects with AGENT_CONFIG when a file cannot be read, or they make no TLS server together. */
export async function readTlsFiles(files: TlsFiles): Promise<TlsSettings> {
  const settings = {
    cert: await readOne(files.certFile),
    key: await readOne(files.keyFile),
    clientCa: files.clientCaFile === null ? null : await readOne(files.clientCaFile),
  };
  try {
    createSecureContext({ ...settings, ...(settings.clientCa === null ? {} : { ca: settings.clientCa }) });
  } catch (cause) {
    throw new OdoroboError("AGENT_CONFIG", `${files.certFile} and ${files.keyFile} do not make a TLS server`, {
      cause,
      hint: "are both PEM files, and is the key the certificate's own and without a password?",
    });
  }
  return settings;
}

export interface FollowOptions {
  /** In force now. */
  readonly first: TlsSettings;
  readonly onChange: (settings: TlsSettings) => void;
  readonly log: Logger;
  readonly everyMs?: number;
}

export function followTlsFiles(files: TlsFiles, { first, onChange, log, everyMs }: FollowOptions): AsyncDisposable {
  let inForce = first;
  let looked = "";
  let complainedOf = "";
  let looking = Promise.resolve();
  const look = async () => {
    const version = await versionOf(files);
    if (version === looked) return;
    try {
      const settings = await readTlsFiles(files);
      looked = version;
      if (isSame(settings, inForce)) return;
      onChange(settings);
      inForce = settings;
      log.info({ certificate: files.certFile }, "the certificate was read anew");
    } catch (error) {
      // Changed while it was read: the next look sees what has become of it.
      if ((await versionOf(files)) !== version) return;
      // Said once for each change, and tried again: the next may be the other half of this one.
      if (version !== complainedOf) log.error({ err: error }, "the certificate that was there before stays in force");
      complainedOf = version;
    }
  };
  const timer = setInterval(() => {
    looking = looking.then(look);
  }, everyMs ?? LOOK_EVERY_MS).unref();
  return {
    async [Symbol.asyncDispose]() {
      clearInterval(timer);
      await looking;
    },
  };
}

const readOne = (path: string): Promise<Buffer> =>
  readFile(path).catch((cause) => {
    throw new OdoroboError("AGENT_CONFIG", `cannot read ${path}`, { cause, hint: "a flag or field for TLS names it" });
  });

/** Never rejects: a file that is not there has a version too. */
async function versionOf({ certFile, keyFile, clientCaFile }: TlsFiles): Promise<string> {
  const paths = [certFile, keyFile, ...(clientCaFile === null ? [] : [clientCaFile])];
  const versions = paths.map((path) =>
    stat(path, { bigint: true }).then(
      ({ dev, ino, size, mtimeNs, ctimeNs }) => [dev, ino, size, mtimeNs, ctimeNs].join(" "),
      () => "missing",
    ),
  );
  return (await Promise.all(versions)).join();
}

const isSame = (a: TlsSettings, b: TlsSettings): boolean =>
  a.cert.equals(b.cert) &&
  a.key.equals(b.key) &&
  (a.clientCa === null ? b.clientCa === null : b.clientCa !== null && a.clientCa.equals(b.clientCa));
