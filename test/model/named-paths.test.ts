import fc from "fast-check";
import { expect, test } from "vitest";
import { namedPaths } from "../../src/model/named-paths.ts";

test("what the process opens is named, what it makes is not, and who is asked for is said", () => {
  const section = {
    payload: { igvm: "/igvm" },
    disks: [{ id: "data", path: "/data", readonly: true }, { path: "/rw" }, { id: "far", vhost_socket: "/blk.sock" }],
    net: [
      { id: "a", vhost_socket: "/in.sock" },
      { id: "b", vhost_socket: "/made.sock", vhost_mode: "Server" },
    ],
    fs: [{ tag: "share", socket: "/fs.sock" }],
    pmem: [{ file: "/pmem" }],
    tpm: { socket: "relative.sock" },
    vsock: { cid: 3, socket: "/made.vsock" },
    serial: { mode: "File", file: "/made.log" },
  };
  expect(
    namedPaths(section).map(({ what, kind, path, readonly }) => `${what}: ${kind} ${path}${readonly ? " (r)" : ""}`),
  ).toMatchInlineSnapshot(`
      [
        "the IGVM file of payload: file /igvm",
        "the file of disks data: disk /data (r)",
        "the file of disks: disk /rw",
        "the socket of disks far: socket /blk.sock",
        "the socket of net a: socket /in.sock",
        "the socket of fs share: socket /fs.sock",
        "the file of pmem: node /pmem",
      ]
    `);
});

test("property: whatever stands in a section names paths or none", () => {
  fc.assert(
    fc.property(fc.dictionary(fc.constantFrom("disks", "fs", "tpm", "rng", "payload"), fc.jsonValue()), (section) => {
      for (const { path } of namedPaths(section)) expect(path).toMatch(/^\//);
    }),
  );
});
