import { mkdtemp, readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import fc from "fast-check";
import { extract } from "tar-stream";
import { afterEach, beforeEach, expect, test } from "vitest";
import { writeBundle } from "../../src/doctor/bundle.ts";
import { scrub } from "../../src/doctor/scrub.ts";
import { collectSupportTexts, type SupportTexts } from "../../src/doctor/support-texts.ts";
import { instant } from "../../src/model/names.ts";
import { aHealthyHost, aSettings } from "../support/a-host.ts";
import { aTempFolder } from "../support/temp-folder.ts";
import { aNodeReport, aVmReport, aWireSpec } from "../support/wire-builders.ts";

const AT = instant("2026-01-01T12:00:00.000Z");
const NEVER = new AbortController().signal;
let folder: Awaited<ReturnType<typeof aTempFolder>>;
beforeEach(async () => {
  folder = await aTempFolder();
});
afterEach(() => folder[Symbol.asyncDispose]());

/** Each where one really finds such things. */
const SECRETS = {
  token: "tok-4f1d8a0c9e7b",
  cmdline: "cmdline-s3cr3t",
  ssh: "AAAAB3NzaC1yc2E",
  annotation: "annotation-s3cr3t",
  passthrough: "passthrough-s3cr3t",
  console: "console-s3cr3t",
  chap: "chap-s3cr3t",
  bearer: "bearer-s3cr3t-abcdef",
  mount: "mount-s3cr3t",
  key: "MIIEvQIBADANBg",
  disk: "disk-s3cr3t",
};

async function planted(): Promise<SupportTexts> {
  const host = aHealthyHost();
  host.file("/etc/odorobo/token", 0o600, `${SECRETS.token}\n`);
  host.files.set("/proc/mounts", `//nas/x /mnt/x cifs rw,user=a,password=${SECRETS.mount} 0 0\n`);
  host.programs.set("journalctl", {
    code: 0,
    output: [
      `GET /v1/report authorization: Bearer ${SECRETS.bearer}`,
      `started with ${SECRETS.token} in the line`,
      `iscsi://admin%${SECRETS.chap}@san/iqn.x/1 logged in`,
      `chap_password=${SECRETS.chap} "api_key": "${SECRETS.chap}"`,
      `-----BEGIN PRIVATE KEY-----\n${SECRETS.key}\n-----END PRIVATE KEY-----`,
      "web-1 was booted",
    ].join("\n"),
  });
  const spec = aWireSpec({
    boot: { kind: "kernel", kernel: "/boot/k", initramfs: null, cmdline: `root=/dev/vda key=${SECRETS.cmdline}` },
    cloudInit: { userData: null, networkConfig: null, sshKeys: [`ssh-rsa ${SECRETS.ssh} me`] },
    annotations: { note: SECRETS.annotation },
    passthrough: { platform: { oem_strings: [SECRETS.passthrough] } },
    disks: [
      { name: "data", origin: { kind: "external", url: `iscsi://u%${SECRETS.disk}@san/iqn.x/1` }, readonly: false },
    ],
  });
  const vm = aVmReport("web-1", {
    spec,
    drift: [{ path: "passthrough.platform", applied: SECRETS.passthrough, live: null }],
    lastEvent: { kind: "crash", at: AT, message: "it ended", console: [SECRETS.console], log: [SECRETS.console] },
  });
  const settings = aSettings({ secretFiles: { "token-file": "/etc/odorobo/token" } });
  const doctor = { kind: "DoctorReport", version: 1, at: AT, node: "n1", findings: [] } as const;
  const report = aNodeReport("n1", { vms: [vm] });
  return collectSupportTexts({ host, settings, signal: NEVER, doctor, report, agentVersion: "0.1.0" });
}

async function unpack(file: string): Promise<Map<string, string>> {
  const files = new Map<string, string>();
  const archive = extract();
  archive.end(gunzipSync(await readFile(file)));
  for await (const entry of archive) {
    const chunks: Buffer[] = [];
    for await (const chunk of entry) chunks.push(Buffer.from(chunk as Uint8Array));
    files.set(entry.header.name, Buffer.concat(chunks).toString());
  }
  return files;
}

test("an archive holds what helps, and none of the secrets that lie around", async () => {
  const file = join(folder.path, "support.tar.gz");
  await writeBundle(file, await planted(), { folder: "odorobo-support-n1", at: AT });
  const files = await unpack(file);
  expect([...files.keys()].map((name) => name.replace("odorobo-support-n1/", ""))).toEqual([
    "README.txt",
    "agent-log.txt",
    "doctor.json",
    "interfaces.txt",
    "kernel-log.txt",
    "meminfo.txt",
    "mounts.txt",
    "report.json",
    "units.txt",
    "versions.txt",
  ]);
  const whole = [...files.values()].join("\n");
  for (const [where, secret] of Object.entries(SECRETS)) expect(whole.includes(secret), where).toBe(false);
  expect(whole).toContain("web-1 was booted");
  expect(whole).toContain("/mnt/x cifs");
  expect(whole).toContain("there is no dmesg on this host");
  expect(JSON.parse(files.get("odorobo-support-n1/report.json") ?? "")).toMatchObject({
    vms: [{ name: "web-1", spec: { boot: { kernel: "/boot/k", cmdline: "[left out]" } } }],
  });
});

test("an archive is for its owner alone, and never written over a file that is there", async () => {
  const file = join(await mkdtemp(join(folder.path, "b")), "support.tar.gz");
  await writeBundle(file, { "a.txt": "one" }, { folder: "f", at: AT });
  expect((await stat(file)).mode & 0o777).toBe(0o600);
  const before = await readFile(file);
  await expect(writeBundle(file, { "a.txt": "two" }, { folder: "f", at: AT })).rejects.toMatchObject({
    code: "FILE_UNWRITABLE",
  });
  expect(await readFile(file)).toEqual(before);
  const other = join(folder.path, "not-ours");
  await writeFile(other, "precious");
  await expect(writeBundle(other, {}, { folder: "f", at: AT })).rejects.toMatchObject({ code: "FILE_UNWRITABLE" });
  expect(await readFile(other, "utf8")).toBe("precious");
});

test("a known secret is nowhere left, whatever stands around it", () => {
  const secret = fc.stringMatching(/^[A-Za-z0-9_+/=-]{6,40}$/);
  fc.assert(
    fc.property(fc.string(), secret, fc.string(), (before, known, after) => {
      expect(scrub(`${before}${known}${after}`, [known])).not.toContain(known);
    }),
  );
});

test.each([
  ["password: hunter22, next", "password: [left out], next"],
  ['{"token":"abcdefgh","a":1}', '{"token":[left out],"a":1}'],
  ["nbd://me:hunter22@host/x", "nbd://[left out]@host/x"],
  ["root:$6$abcdefgh$0123456789abcdef:1", "root:[left out]:1"],
  ["the token file is /etc/odorobo/token", "the token file is /etc/odorobo/token"],
  ["tcp://10.0.0.1:8890/v1", "tcp://10.0.0.1:8890/v1"],
])("%j becomes %j", (text, clean) => {
  expect(scrub(text, [])).toBe(clean);
});
