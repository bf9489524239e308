import { createServer } from "node:net";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { OdoroboError } from "../../src/model/errors.ts";
import { vmName } from "../../src/model/names.ts";
import { connectAgent } from "../../src/wire/client.ts";
import type { TlsFiles } from "../../src/wire/credentials.ts";
import { makeCertificates, tlsSettings } from "../support/certificates.ts";
import { socketAgent } from "../support/http-agent.ts";
import { requires } from "../support/requirements.ts";
import { aTempFolder } from "../support/temp-folder.ts";

const never = new AbortController().signal;

async function report(address: string, tls: TlsFiles): Promise<string> {
  const client = connectAgent({ address, tls, answerMs: 3_000 });
  try {
    return `answered as ${(await client.report(never)).node.name}`;
  } catch (error) {
    return error instanceof OdoroboError ? `${error.code} ${error.message}` : String(error);
  } finally {
    await client.close();
  }
}

describe.runIf(requires("TLS and client certificates", "openssl"))("TLS", () => {
  test("an agent that asks for a certificate serves only who has one of its CA's", async () => {
    await using folder = await aTempFolder();
    const ours = await makeCertificates(folder.path);
    await using other = await aTempFolder();
    const theirs = await makeCertificates(other.path);
    await using agent = await socketAgent({ tls: await tlsSettings(ours, { clientCa: true }) });
    const { caFile } = ours;
    expect(agent.url).toMatch(/^https:/);
    expect(await report(agent.url, { caFile, ...ours.client })).toBe("answered as n1");
    expect(await report(agent.url, { caFile })).toBe("UNAUTHORIZED this agent asks for a client certificate");
    expect(await report(agent.url, { caFile, ...theirs.client })).toBe(
      "UNAUTHORIZED this agent asks for a client certificate",
    );
  });

  test("an agent whose certificate is not to be trusted is not talked to", async () => {
    await using folder = await aTempFolder();
    const certificates = await makeCertificates(folder.path);
    await using agent = await socketAgent({ tls: await tlsSettings(certificates, { clientCa: false }) });
    expect(await report(agent.url, { caFile: certificates.caFile })).toBe("answered as n1");
    expect(await report(agent.url, {})).toMatch(/^AGENT_PROTOCOL no TLS connection to/);
    expect(await report(agent.url.replace("https:", "http:"), {})).toMatch(/^AGENT_(PROTOCOL|UNREACHABLE) /);
    await using plain = await socketAgent();
    expect(await report(plain.url.replace("http:", "https:"), {})).toMatch(/^AGENT_PROTOCOL no TLS connection to/);
  });

  test("a console goes through TLS too", async () => {
    await using folder = await aTempFolder();
    const certificates = await makeCertificates(folder.path);
    const socket = join(folder.path, "s");
    const guest = createServer((line) => line.on("error", () => {}).write("login: "));
    await new Promise<void>((resolve) => guest.listen(socket, resolve));
    {
      await using agent = await socketAgent({ tls: await tlsSettings(certificates, { clientCa: true }) });
      agent.lifecycle.serials.set("web-1", { log: null });
      const client = connectAgent({ address: agent.url, tls: { caFile: certificates.caFile, ...certificates.client } });
      await using connection = await client.openConsole(vmName("web-1"), never);
      for await (const bytes of connection.output) {
        expect(Buffer.from(bytes).toString()).toBe("login: ");
        break;
      }
      await client.close();
    }
    guest.close();
  });
});
