/** A certificate authority for one test, made with openssl: a server's certificate for 127.0.0.1 and a client's. */
import { execFile } from "node:child_process";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";

const run = promisify(execFile);

export interface Certificates {
  readonly caFile: string;
  readonly server: { readonly certFile: string; readonly keyFile: string };
  readonly client: { readonly certFile: string; readonly keyFile: string };
}

export async function makeCertificates(folder: string): Promise<Certificates> {
  const at = (name: string) => join(folder, name);
  const key = (name: string) =>
    run("openssl", ["ecparam", "-genkey", "-name", "prime256v1", "-noout", "-out", at(`${name}.key`)]);
  await Promise.all(["ca", "server", "client"].map(key));
  await run("openssl", [
    "req",
    "-x509",
    "-new",
    "-key",
    at("ca.key"),
    "-subj",
    "/CN=test ca",
    "-days",
    "2",
    "-out",
    at("ca.pem"),
  ]);
  await writeFile(at("san"), "subjectAltName=IP:127.0.0.1,DNS:localhost");
  for (const name of ["server", "client"]) {
    await run("openssl", ["req", "-new", "-key", at(`${name}.key`), "-subj", `/CN=${name}`, "-out", at(`${name}.csr`)]);
    const extensions = name === "server" ? ["-extfile", at("san")] : [];
    // One after the other: they share the CA's serial number file.
    await run("openssl", [
      "x509",
      "-req",
      "-in",
      at(`${name}.csr`),
      "-CA",
      at("ca.pem"),
      "-CAkey",
      at("ca.key"),
      "-CAcreateserial",
      "-days",
      "2",
      "-out",
      at(`${name}.pem`),
      ...extensions,
    ]);
  }
  const pair = (name: string) => ({ certFile: at(`${name}.pem`), keyFile: at(`${name}.key`) });
  return { caFile: at("ca.pem"), server: pair("server"), client: pair("client") };
}

export async function tlsSettings(certificates: Certificates, options: { clientCa: boolean }) {
  return {
    cert: await readFile(certificates.server.certFile),
    key: await readFile(certificates.server.keyFile),
    clientCa: options.clientCa ? await readFile(certificates.caFile) : null,
  };
}
