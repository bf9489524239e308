/** One changed field, and what it does to a guest: by the bytes of its disks first, then by what its hypervisor can. */
import { describe, expect, test } from "vitest";
import type { LiveConfig } from "../../src/model/observed-state.ts";
import type { Disk, DiskOrigin, Nic } from "../../src/model/vm-spec.ts";
import { classify, type RunningGuest } from "../../src/reconcile/classify.ts";
import { onlyGrows } from "../../src/reconcile/judge-by-rules.ts";
import { ABLE, aSpec } from "../support/a-fleet.ts";

const NOTHING = Object.fromEntries(Object.keys(ABLE.live).map((key) => [key, false])) as typeof ABLE.live;

/** A guest whose hypervisor can nothing but this while it runs; with room for 4 vCPUs and 2048 MiB. */
const guest = (can: Partial<typeof ABLE.live> = {}, over: Partial<RunningGuest> = {}): RunningGuest => ({
  live: aSpec({ cpus: { count: 2, max: 4 }, memory: { sizeMiB: 1024, maxMiB: 2048 } }) as LiveConfig,
  rules: [],
  capabilities: { ...ABLE, live: { ...NOTHING, ...can } },
  owed: [],
  ...over,
});

const verdict = (
  path: string,
  from: unknown,
  to: unknown,
  of: RunningGuest | null = guest(),
  made?: readonly string[],
) => classify({ path, pointer: `/spec/${path}`, from, to }, of, made);

/** `live`, `blocked SHRINK`. */
function inWords(...args: Parameters<typeof verdict>): string {
  const said = verdict(...args);
  return said.kind === "class" ? said.class : `blocked ${said.code}`;
}

const blank = (sizeMiB: number, over: Partial<Disk> = {}): Disk => ({
  name: "data",
  origin: { kind: "blank", sizeMiB },
  readonly: false,
  ...over,
});
const image = (over: Partial<Extract<DiskOrigin, { kind: "image" }>> = {}): Disk => ({
  name: "data",
  origin: { kind: "image", image: "i", path: "/i.qcow2", format: "qcow2", sizeMiB: 64, ...over },
  readonly: false,
});
const external = (url: string): Disk => ({ name: "data", origin: { kind: "external", url }, readonly: false });

describe("a disk that only grows", () => {
  test.each<[string, Disk, Disk, boolean]>([
    ["larger", blank(1), blank(2), true],
    ["as large", blank(1), blank(1), false],
    ["smaller", blank(2), blank(1), false],
    ["larger and read-only", blank(1), blank(2, { readonly: true }), false],
    ["larger under another name of its image", image(), image({ sizeMiB: 65, image: "j" }), true],
    ["larger from other bytes", image(), image({ sizeMiB: 65, path: "/j" }), false],
    ["larger and no copy of an image any more", image(), blank(65), false],
    ["larger and now a copy of an image", blank(1), image(), false],
    ["ours, then another's", blank(1), external("nbd://h/e"), false],
    ["another's, then ours", external("nbd://h/e"), blank(1), false],
  ])("%s", (_, before, after, expected) => {
    expect(onlyGrows(before, after)).toBe(expected);
  });
});

describe("the bytes of a disk that exists", () => {
  test.each<[string, Disk | null, Disk | null, string]>([
    ["new", null, blank(1), "reboot"],
    ["gone", blank(1), null, "reboot"],
    ["smaller", blank(2), blank(1), "blocked SHRINK"],
    ["an empty volume of an image", blank(64), image(), "blocked UNSUPPORTED"],
    ["an image of an empty volume", image(), blank(64), "blocked UNSUPPORTED"],
    ["from another image", image(), image({ path: "/j.qcow2" }), "blocked UNSUPPORTED"],
    ["from the same path in another format", image(), image({ format: "raw" }), "blocked UNSUPPORTED"],
    ["the image's name only", image(), image({ image: "j" }), "metadata"],
    ["the image's name, and larger", image(), image({ image: "j", sizeMiB: 65 }), "reboot"],
    ["read-only", blank(1), blank(1, { readonly: true }), "reboot"],
    ["another's, and ours", external("nbd://h/e"), blank(1), "reboot"],
    ["ours, and another's", blank(1), external("nbd://h/e"), "reboot"],
    ["another's elsewhere", external("nbd://h/e"), external("nbd://h/f"), "reboot"],
  ])("%s", (_, before, after, expected) => {
    expect(inWords("disks.data", before, after)).toBe(expected);
    const stopped = inWords("disks.data", before, after, null);
    expect(stopped).toBe(expected === "reboot" ? "metadata" : expected);
  });

  test("says which two it cannot be both of", () => {
    expect(verdict("disks.data", blank(64), image())).toMatchObject({
      message: "disk data exists and is never overwritten: it is an empty volume and cannot become a copy of an image",
    });
    expect(verdict("disks.data", image(), blank(64))).toMatchObject({
      message: "disk data exists and is never overwritten: it is a copy of an image and cannot become an empty volume",
    });
    expect(verdict("disks.data", image(), image({ path: "/j" }))).toMatchObject({
      message: "disk data exists and is never overwritten: it was made from /i.qcow2, the manifest now says /j",
    });
    expect(verdict("disks.data", blank(2), blank(1))).toMatchObject({ hint: "set its size to at least 2MiB" });
  });

  test("one that was not made has none", () => {
    expect(inWords("disks.data", blank(2), blank(1), null, ["other"])).toBe("metadata");
    expect(inWords("disks.data", blank(2), blank(1), null, ["other", "data"])).toBe("blocked SHRINK");
    expect(inWords("disks.data", blank(2), blank(1), null, [])).toBe("metadata");
  });
});

describe("what the hypervisor can while the guest runs", () => {
  const nic = (over: Partial<Nic> = {}): Nic => ({
    name: "eth0",
    network: "lan",
    attachment: { kind: "user" },
    mac: "52:54:00:00:00:01",
    address: null,
    ...over,
  });

  test.each<[string, keyof typeof ABLE.live, string, unknown, unknown]>([
    ["a vCPU more", "cpusUp", "cpus.count", 2, 4],
    ["a vCPU less", "cpusDown", "cpus.count", 2, 1],
    ["more memory", "memoryUp", "memory.size", 1024, 2048],
    ["less memory", "memoryDown", "memory.size", 1024, 512],
    ["a disk more", "diskAttach", "disks.data", null, blank(1)],
    ["a disk less", "diskDetach", "disks.data", blank(1), null],
    ["a larger disk", "diskGrow", "disks.data", blank(1), blank(2)],
    ["a NIC more", "nicAttach", "nics.eth0", null, nic()],
    ["a NIC less", "nicDetach", "nics.eth0", nic(), null],
  ])("%s: %s, and nothing else will do", (_, able, path, from, to) => {
    const others = Object.fromEntries(Object.keys(NOTHING).map((key) => [key, key !== able]));
    expect(inWords(path, from, to, guest({ [able]: true }))).toBe("live");
    expect(inWords(path, from, to, guest(others))).toBe("reboot");
    expect(inWords(path, from, to, guest({}, { capabilities: null }))).toBe("reboot");
    expect(inWords(path, from, to, null)).toBe("metadata");
  });

  test("no more than the guest was booted with room for", () => {
    expect(verdict("cpus.count", 2, 5, guest({ cpusUp: true }))).toMatchObject({
      class: "reboot",
      note: "the guest was booted with room for 4 vCPUs",
    });
    expect(verdict("memory.size", 1024, 2049, guest({ memoryUp: true }))).toMatchObject({
      class: "reboot",
      note: "the guest was booted with room for 2048 MiB",
    });
    const small = aSpec({ cpus: { count: 1, max: 1 }, memory: { sizeMiB: 1, maxMiB: 1 } }) as LiveConfig;
    expect(verdict("cpus.count", 1, 2, guest({ cpusUp: true }, { live: small }))).toMatchObject({
      note: "the guest was booted with room for 1 vCPU",
    });
    expect(verdict("memory.size", 1, 2, guest({ memoryUp: true }, { live: small }))).toMatchObject({
      note: "the guest was booted with room for 1 MiB",
    });
  });

  test("the name of a Network is nothing, an address is for the next boot, another MAC is another NIC", () => {
    const all = guest(ABLE.live);
    expect(inWords("nics.eth0", nic(), nic({ network: "wan" }), all)).toBe("metadata");
    expect(inWords("nics.eth0", nic(), nic({ address: "10.0.0.2/24" }), all)).toBe("reboot");
    // What its agent does around it, and what it is told there.
    const made = { type: "nat", subnet: "10.0.0.0/24", gateway: "10.0.0.1", dhcp: true } as const;
    const guarded = nic({ made, rules: { antiSpoofing: true } });
    expect(inWords("nics.eth0", nic({ made }), guarded, all)).toBe("live");
    expect(inWords("nics.eth0", nic({ made }), guarded, null)).toBe("metadata");
    expect(inWords("nics.eth0", nic({ made }), nic({ made, config: { mtu: 1400 } }), all)).toBe("live");
    expect(inWords("nics.eth0", nic(), nic({ config: { mtu: 1400 } }), all)).toBe("reboot");
    expect(inWords("nics.eth0", guarded, { ...guarded, mac: "52:54:00:00:00:02" }, all)).toBe("reboot");
    expect(inWords("nics.eth0", nic(), nic({ address: "10.0.0.2/24" }), null)).toBe("metadata");
    const forwards = [{ guestPort: 22, protocol: "tcp", host: "127.0.0.1", hostPort: null }] as const;
    expect(inWords("nics.eth0", nic(), nic({ forwards }), guest({ forwards: true }))).toBe("live");
    expect(inWords("nics.eth0", nic({ forwards }), nic(), guest({ forwards: true }))).toBe("live");
    expect(inWords("nics.eth0", nic(), nic({ forwards }), guest({}))).toBe("reboot");
    expect(inWords("nics.eth0", nic(), nic({ forwards }), null)).toBe("metadata");
    expect(inWords("nics.eth0", nic(), nic({ mac: "52:54:00:00:00:02" }), all)).toBe("reboot");
    expect(verdict("nics.eth0", nic(), nic({ mac: "52:54:00:00:00:02" }), all)).toMatchObject({
      note: "a NIC in use cannot be exchanged",
    });
  });

  test("what it was asked to let go of and holds is for the next boot", () => {
    const owing = (path: string, held: boolean) =>
      guest(ABLE.live, { owed: [{ path, from: null, to: null, held }] as unknown as RunningGuest["owed"] });
    expect(inWords("disks.data", blank(1), null, owing("disks.data", true))).toBe("reboot");
    expect(inWords("disks.data", blank(1), null, owing("disks.data", false))).toBe("live");
    expect(inWords("disks.data", blank(1), null, owing("disks.other", true))).toBe("live");
  });

  test.each([
    ["cpus.max", 4, 8],
    ["memory.max", 2048, 4096],
    ["disks", ["a", "b"], ["b", "a"]],
    ["nics", ["a", "b"], ["b", "a"]],
    ["boot", {}, {}],
  ])("%s is read at boot, whatever it can", (path, from, to) => {
    expect(inWords(path, from, to, guest(ABLE.live))).toBe("reboot");
    expect(inWords(path, from, to, null)).toBe("metadata");
  });

  test("weights are not the guest's", () => {
    expect(inWords("weights.cpu", null, 200)).toBe("metadata");
  });

  test.each(["labels", "runStrategy", "protect", "retain.disks"])("%s disturbs nobody", (path) => {
    expect(verdict(path, 1, 2)).toEqual({ kind: "class", class: "metadata", note: null });
  });

  test("another hypervisor is another guest, whether this one runs or not", () => {
    expect(inWords("hypervisor", "noop", "qemu")).toBe("replace");
    expect(inWords("hypervisor", "noop", "qemu", null)).toBe("replace");
  });
});

test("an image that is fetched and has other bytes now leaves the disks that were made over it alone, and says so", () => {
  const remote = (digest: string) => ({
    format: "qcow2" as const,
    sources: [
      {
        architecture: null,
        urls: ["https://h/a.qcow2"],
        checksum: { algorithm: "sha256" as const, digest },
        compression: "none" as const,
      },
    ],
  });
  const over = { path: "image:i", format: "raw" as const };
  const [before, after] = [image({ ...over, remote: remote("a") }), image({ ...over, remote: remote("b") })];
  expect(verdict("disks.data", before, after, guest(), ["data"])).toEqual({
    kind: "class",
    class: "metadata",
    note: "this disk stays over the bytes that it was made over; new ones are made over the new",
  });
  expect(onlyGrows(before, image({ ...over, remote: remote("b"), sizeMiB: 128 }))).toBe(true);
});
