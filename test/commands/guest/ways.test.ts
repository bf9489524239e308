/** Which way leads to a guest, and by what its SSH server is known. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { hasHostKeys, hostKeyAlias, keysOnConsole, withHostKeys } from "../../../src/commands/cli/guest/host-keys.ts";
import { guestUser, sshOptions } from "../../../src/commands/cli/guest/ssh-options.ts";
import { waysTo } from "../../../src/commands/cli/guest/ways.ts";
import { vmName } from "../../../src/model/names.ts";
import type { VmReport } from "../../../src/model/observed-state.ts";
import { aSpec } from "../../support/a-fleet.ts";

type Places = Pick<VmReport, "addresses" | "forwards">;

const ways = (places: Places, agent: string, port = 22) =>
  waysTo({ name: vmName("web"), ...places }, port, agent).map(({ host, port, jump }) =>
    jump === null ? `${host} ${port}` : `${host} ${port} through ${jump}`,
  );
const forward = (host: string, hostPort = 2222, guestPort = 22) => ({
  ...{ nic: "eth0", host, hostPort, guestPort, protocol: "tcp" as const },
});

test("a forward is taken first, through the node where only the node has it", () => {
  const places: Places = {
    addresses: [
      { address: "10.0.0.11", source: "declared", nic: "eth0" },
      { address: "10.0.0.11", source: "neighbour", nic: "eth0" },
      { address: "10.0.0.99", source: "lease", nic: "eth0" },
      { address: "127.0.0.1:2222", source: "forward", nic: "eth0" },
    ],
    forwards: [forward("127.0.0.1"), forward("127.0.0.1", 8080, 80)],
  };
  expect(ways(places, "http://127.0.0.1:8890")).toEqual(["127.0.0.1 2222", "10.0.0.99 22", "10.0.0.11 22"]);
  expect(ways(places, "unix:///run/odorobo/agent.sock", 80)).toEqual([
    "127.0.0.1 8080",
    "10.0.0.99 80",
    "10.0.0.11 80",
  ]);
  expect(ways(places, "https://n1.example:8890")).toEqual([
    "127.0.0.1 2222 through n1.example",
    ...["10.0.0.99 22", "10.0.0.99 22 through n1.example", "10.0.0.11 22", "10.0.0.11 22 through n1.example"],
  ]);
  expect(ways({ forwards: [forward("0.0.0.0")] }, "https://n1.example:8890")).toEqual([
    "n1.example 2222",
    "127.0.0.1 2222 through n1.example",
  ]);
});

test("where nothing is known the next step is said, and what is no address is none", () => {
  expect(() => ways({}, "http://n1:8890")).toThrow("nothing is known of where web can be reached");
  const evil = "-oProxyCommand=touch";
  expect(() =>
    ways({ addresses: [{ address: evil, source: "lease", nic: null }], forwards: [forward(evil)] }, "http://n1:8890"),
  ).toThrow("nothing is known");
});

const KEY = `ssh-ed25519 ${"A".repeat(68)}`;
const OTHER = `ecdsa-sha2-nistp256 ${"B".repeat(140)}=`;
const said = (...keys: string[]) =>
  [
    "-----BEGIN SSH HOST KEY FINGERPRINTS-----\r",
    "256 SHA256:abc root@web (ED25519)\r",
    "-----END SSH HOST KEY FINGERPRINTS-----\r",
    "[   23.4] cloud-init[600]: -----BEGIN SSH HOST KEY KEYS-----\r",
    ...keys.map((key) => `${key} root@web\r`),
    "-----END SSH HOST KEY KEYS-----\r",
  ].join("\n");

test("host keys are those that were said last, to the end", () => {
  expect(keysOnConsole(`booting\n${said(OTHER, KEY)}\nlogin: `)).toEqual([OTHER, KEY]);
  expect(keysOnConsole(`${said(OTHER)}\n${said(KEY)}`)).toEqual([KEY]);
  expect(keysOnConsole(said(KEY).replace("-----END SSH HOST KEY KEYS-----", ""))).toEqual([]);
  expect(keysOnConsole(said("ssh-ed25519 short", "rm -rf /", `@cert-authority * ${KEY}x y`))).toEqual([`${KEY}x`]);
  expect(keysOnConsole("")).toEqual([]);
});

test("known keys are kept for each guest by its own name, and learning them again changes nothing", () => {
  const name = fc.constantFrom("web", "db", "web.shop");
  fc.assert(
    fc.property(fc.array(fc.tuple(name, fc.subarray([KEY, OTHER], { minLength: 1 })), { maxLength: 6 }), (learned) => {
      let known = "";
      for (const [vm, keys] of learned) known = withHostKeys(known, hostKeyAlias(vm, "shop"), keys);
      const last = new Map(learned);
      for (const [vm, keys] of last) {
        const alias = hostKeyAlias(vm, "shop");
        expect(known.split("\n").filter((line) => line.startsWith(`${alias} `))).toEqual(
          keys.map((key) => `${alias} ${key}`),
        );
        expect(withHostKeys(known, alias, keys)).toBe(known);
        expect(hasHostKeys(known, alias)).toBe(true);
      }
      expect(hasHostKeys(known, hostKeyAlias("nobody", "shop"))).toBe(false);
    }),
  );
});

test("OpenSSH is told to believe nothing but what is known of this guest", () => {
  const way = { host: "127.0.0.1", port: 2222, jump: "n1", by: "port 2222" };
  const target = { way, alias: "web.shop.odorobo", knownHosts: "/home/a b/known", identity: null, jumpUser: "root" };
  const options = sshOptions({ ...target, trust: "console" }).filter((each) => each !== "-o");
  expect(options).toContain("StrictHostKeyChecking=yes");
  expect(options).toContain('UserKnownHostsFile="/home/a b/known"');
  expect(options).toContain("GlobalKnownHostsFile=/dev/null");
  expect(options).toContain("ProxyJump=root@n1");
  const jumpTo = (jump: string, jumpUser: string | null) =>
    sshOptions({ ...target, jumpUser, way: { ...way, jump }, trust: "console" });
  expect(jumpTo("fd00::1", null)).toContain("ProxyJump=[fd00::1]");
  expect(jumpTo("fd00::1", "root")).toContain("ProxyJump=root@[fd00::1]");
  expect(sshOptions({ ...target, trust: "first-use" })).toContain("StrictHostKeyChecking=accept-new");
});

test("who to be there: as the manifest says, else as the distribution's image has it", () => {
  const cloudInit = { userData: null, networkConfig: null, sshKeys: [] };
  const disk = (image: string) => ({
    ...{ name: "root", origin: { kind: "image", image, path: "/i", format: "raw", sizeMiB: 1 } as const },
    readonly: false,
  });
  expect(guestUser(aSpec({ cloudInit: { ...cloudInit, user: "ada" }, disks: [disk("debian-12")] }))).toBe("ada");
  expect(guestUser(aSpec({ cloudInit, disks: [disk("debian-12")] }))).toBe("debian");
  expect(guestUser(aSpec({ disks: [disk("mine")] }))).toBeNull();
  expect(guestUser(aSpec({ disks: [] }))).toBeNull();
});
