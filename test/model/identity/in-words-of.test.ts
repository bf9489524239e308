/** A respelling is no difference. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { compareSpecs } from "../../../src/model/fields.ts";
import { inWordsOf } from "../../../src/model/identity/in-words-of.ts";
import { canonicalAddress, canonicalMac } from "../../../src/model/identity/net-address.ts";
import { pciAddress } from "../../../src/model/identity/path.ts";
import type { VmSpec } from "../../../src/model/vm-spec.ts";
import { aSpec } from "../../support/a-fleet.ts";
import { anyTwoDiskUrls, type Spelt } from "../../support/any-disk-url.ts";

const someMac = fc.uint8Array({ minLength: 6, maxLength: 6 }).map((bytes) => {
  const pairs = [...bytes].map((byte) => byte.toString(16).padStart(2, "0"));
  const dots = pairs.join("").match(/.{4}/g)?.join(".") ?? "";
  return fc
    .constantFrom(pairs.join(":"), pairs.join("-"), dots, pairs.join(":").toUpperCase(), dots.toUpperCase())
    .map((text) => ({ is: pairs.join(":"), text }));
});

const aMac = someMac.chain((mac) => mac);
const twoMacs = someMac.chain((mac) => fc.tuple(mac, mac));

type Said = ReturnType<typeof aSpelling>;

const anAddress = fc.constantFrom(
  ...[
    ["10.0.0.11/24", "10.0.0.011/24", "10.0.00.11/024"],
    ["10.0.0.12/24"],
    ["fd00::1/64", "FD00::1/64", "fd00:0:0:0:0:0:0:1/64", "fd00::0001/064"],
    ["fd00::1/65"],
    ["::/0", "0:0::0/0"],
  ].flatMap(([is = "", ...others]) => [is, ...others].map((text) => ({ is, text }))),
);

test("MACs and addresses have one spelling each, which is its own", () => {
  fc.assert(
    fc.property(aMac, anAddress, anAddress, (mac, address, other) => {
      expect(canonicalMac(mac.text)).toBe(mac.is);
      expect(canonicalAddress(canonicalAddress(address.text))).toBe(canonicalAddress(address.text));
      expect(canonicalAddress(address.text) === canonicalAddress(other.text)).toBe(address.is === other.is);
    }),
  );
  for (const none of ["", "br0", "02:00:00:00:00", "fe80::1%eth0", "1.2.3.4.5"])
    expect([canonicalMac(none), canonicalAddress(none)]).toEqual([none, none]);
});

test("PCI devices are known with and without domain, and by their folder", () => {
  const spellings = ["01:0a.0", "0000:01:0A.0", "00000000:01:0a.0", "/sys/bus/pci/devices/0000:01:0a.0/"];
  expect(new Set(spellings.map(pciAddress))).toEqual(new Set(["0000:01:0a.0"]));
  expect(pciAddress("0001:01:0a.0")).toBe("0001:01:0a.0");
  expect(["/dev/vda", "01:0a.8", "", "1:0a.0"].map(pciAddress)).toEqual([null, null, null, null]);
});

const aSpelling = (url: Spelt, mac: { is: string; text: string }, address: { is: string; text: string }) => ({
  meaning: JSON.stringify([url.disk, mac.is, address.is]),
  spec: aSpec({
    hypervisor: "cloud-hypervisor",
    disks: [{ name: "d", origin: { kind: "external", url: url.url }, readonly: false }],
    nics: [{ name: "n", network: "front", attachment: { kind: "user" }, mac: mac.text, address: address.text }],
  }),
});

test("what is spelt otherwise is said in the words that were applied, what is another stays what it is", () => {
  fc.assert(
    fc.property(anyTwoDiskUrls, twoMacs, fc.tuple(anAddress, anAddress), (urls, macs, addresses) => {
      const [applied, desired] = ([0, 1] as const).map((at) => aSpelling(urls[at], macs[at], addresses[at])) as [
        Said,
        Said,
      ];
      const said = inWordsOf(applied.spec, desired.spec);
      expect(compareSpecs(applied.spec, said).length === 0).toBe(applied.meaning === desired.meaning);
      // Nothing is lost on the way: it means what it meant.
      expect(compareSpecs(desired.spec, inWordsOf(desired.spec, said))).toEqual([]);
    }),
    { numRuns: 300 },
  );
});

test("paths of images, kernels and devices, and what hypervisors are told of them", () => {
  const spec = (over: Partial<VmSpec>) => aSpec({ hypervisor: "cloud-hypervisor", ...over });
  const image = (path: string) => ({ kind: "image", image: "deb", path, format: "raw", sizeMiB: 8 }) as const;
  const boot = (kernel: string) => ({ kind: "kernel", kernel, initramfs: null, cmdline: "root=/dev//vda" }) as const;
  const applied = spec({
    disks: [{ name: "root", origin: image("/images//a.raw"), readonly: false }],
    boot: boot("/boot/vmlinuz"),
    passthrough: {
      devices: [{ id: "gpu", path: "/sys/bus/pci/devices/0000:01:00.0/" }],
      net: [{ mac: "02:00:00:00:00:0A" }],
    },
  });
  const respelt = spec({
    disks: [{ name: "root", origin: image("/images/a.raw"), readonly: false }],
    boot: boot("/boot/./vmlinuz"),
    passthrough: {
      devices: [{ id: "gpu", path: "/sys/bus/pci/devices/0000:01:00.0" }],
      net: [{ mac: "02:00:00:00:00:0a" }],
    },
  });
  expect(inWordsOf(applied, respelt)).toEqual(applied);
  const other = spec({ ...respelt, boot: { ...boot("/boot/vmlinuz"), cmdline: "root=/dev/vda" } });
  expect(compareSpecs(applied, inWordsOf(applied, other)).map(({ path }) => path)).toEqual(["boot"]);
  expect(inWordsOf(applied, applied)).toBe(applied);
});

test("a disk that becomes another kind of disk is another disk, whatever it was called", () => {
  const disk = (origin: VmSpec["disks"][number]["origin"]) =>
    aSpec({ disks: [{ name: "d", origin, readonly: false }] });
  const external = disk({ kind: "external", url: "file:///images/a.raw" });
  const image = (path: string) => disk({ kind: "image", image: "a", path, format: "raw", sizeMiB: 64 });
  const blank = disk({ kind: "blank", sizeMiB: 64 });
  const all = [external, image("/images/a.raw"), blank];
  for (const was of all) for (const is of all) expect(inWordsOf(was, is)).toBe(is);
  expect(inWordsOf(image("/images/./a.raw"), image("/images/a.raw")).disks).toEqual(image("/images/./a.raw").disks);
  const other = image("/images/b.raw");
  expect(inWordsOf(image("/images/a.raw"), other)).toBe(other);
});
