/** The cloud-init seed: what is in it, and that others than us can read it. */
import { execFile } from "node:child_process";
import { stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import fc from "fast-check";
import { expect, test } from "vitest";
import { isoImage } from "../../../src/agent/storage/iso9660.ts";
import { readInstanceId, seedFiles, writeSeedImage } from "../../../src/agent/storage/seed-image.ts";
import { type Digest, digest } from "../../../src/model/names.ts";
import type { Nic, VmSpec } from "../../../src/model/vm-spec.ts";
import { aSpec } from "../../support/a-fleet.ts";
import { requires } from "../../support/requirements.ts";
import { aTempFolder } from "../../support/temp-folder.ts";

const USER_DATA = digest("ab".repeat(32));
const NETWORK = digest("cd".repeat(32));
const FILES: ReadonlyMap<Digest, string> = new Map([
  [USER_DATA, "#cloud-config\npackages: [nginx]\n"],
  [NETWORK, "version: 2\n"],
]);
const nic = (name: string, address: string | null): Nic => ({
  name,
  network: "front",
  attachment: { kind: "user" },
  mac: "52:54:00:00:00:01",
  address,
});

const seed = (over: Partial<VmSpec>, diskFolder = "/d") => ({
  name: "web-1",
  spec: aSpec({ cloudInit: { userData: null, networkConfig: null, sshKeys: [] }, ...over }),
  paths: { runFolder: "/r", diskFolder, logFolder: "/l" },
  files: FILES,
});
const metaData = (over: Partial<VmSpec>) => JSON.parse(seedFiles(seed(over))?.["meta-data"] ?? "");

test("a VM without cloudInit has no seed", async () => {
  expect(seedFiles(seed({ cloudInit: null }))).toBeNull();
  await writeSeedImage(seed({ cloudInit: null }, "/nowhere"));
});

test("the seed has the VM's name, its keys and its texts", () => {
  const cloudInit = { userData: USER_DATA, networkConfig: NETWORK, sshKeys: ["ssh-ed25519 AAAA me"] };
  const files = seedFiles(seed({ cloudInit }));
  expect(files?.["user-data"]).toBe("#cloud-config\npackages: [nginx]\n");
  expect(files?.["network-config"]).toBe("version: 2\n");
  expect(metaData({ cloudInit })).toMatchObject({
    "local-hostname": "web-1",
    "public-keys": ["ssh-ed25519 AAAA me"],
  });
});

test("NICs with addresses get them, the others ask DHCP; without any address cloud-init decides", () => {
  expect(seedFiles(seed({ nics: [nic("eth0", null)] }))?.["network-config"]).toBeUndefined();
  const files = seedFiles(seed({ nics: [nic("eth0", "10.0.0.11/24"), nic("eth1", null)] }));
  expect(JSON.parse(files?.["network-config"] ?? "")).toEqual({
    version: 2,
    ethernets: {
      eth0: { match: { macaddress: "52:54:00:00:00:01" }, addresses: ["10.0.0.11/24"] },
      eth1: { match: { macaddress: "52:54:00:00:00:01" }, dhcp4: true },
    },
  });
});

test("whatever changes in the manifest, the guest stays the instance that it is, unless it is to be another", () => {
  const text = fc.constantFrom(null, USER_DATA, NETWORK);
  const anyCloudInit = fc.record({
    userData: text,
    networkConfig: text,
    sshKeys: fc.array(fc.string(), { maxLength: 2 }),
  });
  const anyAddress = fc.constantFrom(null, "10.0.0.11/24", "10.0.0.12/24");
  fc.assert(
    fc.property(anyCloudInit, anyAddress, (cloudInit, address) => {
      const instanceId = "web-1-0123456789ab";
      const idOf = (instance: { readonly instance?: string }): unknown => {
        const files = seedFiles({
          ...seed({ cloudInit: { ...cloudInit, ...instance }, nics: [nic("e0", address)] }),
          instanceId,
        });
        return JSON.parse(files?.["meta-data"] ?? "")["instance-id"];
      };
      expect(idOf({})).toBe(instanceId);
      expect(idOf({ instance: "2" })).toBe(`${instanceId}-2`);
    }),
  );
});

test("the id in an image of before is read, and not what a user wrote into his texts", async () => {
  await using folder = await aTempFolder();
  const path = join(folder.path, "cloud-init.iso");
  expect(await readInstanceId(path, "web-1")).toBeNull();
  const meta = (id: string, name = "web-1") =>
    `${JSON.stringify({ "instance-id": id, "local-hostname": name, "public-keys": [] })}\n`;
  const trap = `#cloud-config\n# {"instance-id":"web-1-ffffffffffff"}\n`;
  await writeFile(path, isoImage("CIDATA", { "user-data": trap, "meta-data": meta("web-1-0123456789ab") }));
  expect(await readInstanceId(path, "web-1")).toBe("web-1-0123456789ab");
  expect(await readInstanceId(path, "web-2")).toBeNull();
});

test("a text that the node was not given is an error that names it", () => {
  const cloudInit = { userData: digest("00".repeat(32)), networkConfig: null, sshKeys: [] };
  expect(() => seedFiles(seed({ cloudInit }))).toThrow("the cloud-init userData of web-1 is not on this node");
});

test("only the agent's user may read it", async () => {
  await using folder = await aTempFolder();
  await writeSeedImage(seed({}, join(folder.path, "disks")));
  expect((await stat(join(folder.path, "disks", "cloud-init.iso"))).mode & 0o777).toBe(0o600);
});

test("a folder that cannot be written is an error that says so", async () => {
  await using folder = await aTempFolder();
  const file = join(folder.path, "file");
  await writeFile(file, "");
  await expect(writeSeedImage(seed({}, join(file, "disks")))).rejects.toMatchObject({ code: "STORAGE_FAILED" });
});

test("the same files give the same image, in whole sectors", () => {
  const text = fc.string({ maxLength: 5000 });
  fc.assert(
    fc.property(fc.dictionary(fc.constantFrom("user-data", "meta-data", "network-config"), text), (files) => {
      const image = isoImage("CIDATA", files);
      expect(image.length % 2048).toBe(0);
      expect(isoImage("CIDATA", { ...files }).equals(image)).toBe(true);
      for (const content of Object.values(files)) expect(image.includes(Buffer.from(content))).toBe(true);
    }),
    { numRuns: 200 },
  );
});

test.runIf(requires("seed images as another program reads them", "isoinfo"))(
  "isoinfo reads label, names and contents, in both trees",
  async () => {
    // Version numbers (`;1`) are part of ISO 9660's names; operating systems do not show them.
    await using folder = await aTempFolder();
    const path = join(folder.path, "seed.iso");
    const long = "x".repeat(10_000);
    await writeFile(path, isoImage("CIDATA", { "user-data": long, "meta-data": "{}\n", "network-config": "" }));
    const isoinfo = async (...args: string[]) => (await promisify(execFile)("isoinfo", [...args, "-i", path])).stdout;
    expect(await isoinfo("-d")).toMatch(/Volume id: CIDATA/);
    expect((await isoinfo("-J", "-f")).trim().split("\n").sort()).toEqual([
      "/meta-data;1",
      "/network-config;1",
      "/user-data;1",
    ]);
    expect(await isoinfo("-J", "-x", "/user-data;1")).toBe(long);
    expect(await isoinfo("-x", "/META-DATA;1")).toBe("{}\n");
  },
);

// Rendered by cloud-init 22.4.2 as ifupdown, netplan, networkd and NetworkManager: with `default` all but netplan make no network at all.
test("a gateway, names and routes are said in the words that every renderer takes", () => {
  const config = {
    gateway: "10.0.0.1",
    dns: ["10.0.0.2"],
    domain: "lab",
    routes: [{ to: "10.9.0.0/16", via: "10.0.0.9" }],
  };
  const nics = [
    { ...nic("eth0", "10.0.0.11/24"), config: { ...config, mtu: 1450 } },
    { ...nic("eth1", null), config },
    { ...nic("eth2", "fd00::11/64"), config: { gateway: "fd00::1" } },
  ];
  const text = seedFiles(seed({ nics }))?.["network-config"] ?? "";
  expect(text).not.toContain("default");
  const { ethernets } = JSON.parse(text) as { readonly ethernets: Readonly<Record<string, unknown>> };
  const route = { to: "10.9.0.0/16", via: "10.0.0.9" };
  expect(ethernets.eth0).toEqual({
    match: { macaddress: "52:54:00:00:00:01" },
    addresses: ["10.0.0.11/24"],
    routes: [{ to: "0.0.0.0/0", via: "10.0.0.1" }, route],
    nameservers: { addresses: ["10.0.0.2"], search: ["lab"] },
    mtu: 1450,
  });
  // Who is asked for an address says the rest.
  expect(ethernets.eth1).toEqual({ match: { macaddress: "52:54:00:00:00:01" }, dhcp4: true, routes: [route] });
  expect(ethernets.eth2).toMatchObject({ routes: [{ to: "::/0", via: "fd00::1" }] });
});

test("metadata of one's own stands beside the instance's, which stays odorobo's; vendor data is a file of its own", () => {
  const cloudInit = { userData: null, networkConfig: null, sshKeys: [] };
  const more = digest("ef".repeat(32));
  const files = new Map([...FILES, [more, '{"role":"web","instance-id":"mine"}\n'] as const]);
  const vm = { ...seed({ cloudInit: { ...cloudInit, metaData: more, vendorData: USER_DATA } }), files };
  const seeded = seedFiles(vm);
  expect(JSON.parse(seeded?.["meta-data"] ?? "")).toMatchObject({
    role: "web",
    "instance-id": "web-1",
    "local-hostname": "web-1",
  });
  expect(seeded?.["vendor-data"]).toBe("#cloud-config\npackages: [nginx]\n");
});
