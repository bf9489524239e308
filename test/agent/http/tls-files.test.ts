/** Certificates that are renewed while an agent runs. */
import { copyFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { followTlsFiles, readTlsFiles, type TlsSettings } from "../../../src/platform/http/tls-files.ts";
import { type Logger, silentLogger } from "../../../src/platform/logger.ts";
import { makeCertificates } from "../../support/certificates.ts";
import { requires } from "../../support/requirements.ts";
import { aTempFolder } from "../../support/temp-folder.ts";
import { until } from "../../support/until.ts";

describe.runIf(requires("renewed certificates", "openssl"))("certificates that are renewed", () => {
  test("are read when both halves are there; until then the old ones stay, and the log says why", async () => {
    await using folder = await aTempFolder();
    await using later = await aTempFolder();
    const before = await makeCertificates(folder.path);
    const after = await makeCertificates(later.path);
    const files = { ...before.server, clientCaFile: before.caFile };
    const first = await readTlsFiles(files);
    const renewed: TlsSettings[] = [];
    const errors: string[] = [];
    const log: Logger = { ...silentLogger, error: (_, message) => void errors.push(message) };
    await using following = followTlsFiles(files, {
      first,
      onChange: (each) => void renewed.push(each),
      log,
      everyMs: 5,
    });
    expect(following).toBeDefined();

    const replace = async (from: string, to: string) => {
      await copyFile(from, join(folder.path, "next"));
      await rename(join(folder.path, "next"), to);
    };
    await replace(after.server.certFile, files.certFile);
    await until("the half is noticed", () => errors.length === 1);
    expect(errors).toEqual(["the certificate that was there before stays in force"]);
    expect(renewed).toEqual([]);
    await replace(after.server.keyFile, files.keyFile);
    await until("the whole is taken", () => renewed.length === 1);
    await replace(after.caFile, files.clientCaFile);
    await until("the client CA too", () => renewed.length === 2);
    expect(renewed[1]).toEqual(await readTlsFiles(files));
    // Touched is not changed; gone is not changed either.
    await replace(after.caFile, files.clientCaFile);
    await rename(files.keyFile, join(folder.path, "away"));
    await until("that it is gone is noticed", () => errors.length === 2);
    await rename(join(folder.path, "away"), files.keyFile);
    await writeFile(files.clientCaFile, first.clientCa ?? "");
    await until("it is back, with another CA", () => renewed.length === 3);
  });
});
