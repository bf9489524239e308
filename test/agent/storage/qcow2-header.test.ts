/** Whose header says what, as docs/interop/qcow2.txt has it, and as qemu-img writes it. */
import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { lookAtImage } from "../../../src/agent/storage/image-file.ts";
import { HEADER_BYTES, readQcow2Header } from "../../../src/agent/storage/qcow2-header.ts";
import { aQcow2Header } from "../../support/a-qcow2-header.ts";
import { requires } from "../../support/requirements.ts";
import { aTempFolder } from "../../support/temp-folder.ts";

const PLAIN = {
  version: 3,
  virtualBytes: 64 * 1024 * 1024,
  backingFile: null,
  backingFormat: null,
  dataFile: null,
  isEncrypted: false,
  snapshots: 0,
};

test.each([
  ["nothing but itself", {}, PLAIN],
  ["version 2", { version: 2 }, { ...PLAIN, version: 2 }],
  ["a backing file", { backingFile: "/etc/shadow" }, { ...PLAIN, backingFile: "/etc/shadow" }],
  ["a backing file in version 2", { version: 2, backingFile: "b" }, { ...PLAIN, version: 2, backingFile: "b" }],
  ["its format", { backingFile: "b", backingFormat: "raw" }, { ...PLAIN, backingFile: "b", backingFormat: "raw" }],
  ["a backing file of no length", { backingFile: "" }, { ...PLAIN, backingFile: "" }],
  ["a backing file behind the end", { backingFile: "x", backingOffset: 1n << 40n }, { ...PLAIN, backingFile: "" }],
  ["a data file", { dataFile: "/etc/shadow" }, { ...PLAIN, dataFile: "/etc/shadow" }],
  ["a data file without a name", { dataFile: "" }, { ...PLAIN, dataFile: "" }],
  ["only the bit of a data file", { incompatible: 4n }, { ...PLAIN, dataFile: "" }],
  ["a data file without the bit", { dataFile: "d", incompatible: 0n }, { ...PLAIN, dataFile: "d" }],
  ["dirty and compressed with zstd", { incompatible: 9n }, PLAIN],
  ["a passphrase", { encryption: 2 }, { ...PLAIN, isEncrypted: true }],
  ["snapshots", { snapshots: 3 }, { ...PLAIN, snapshots: 3 }],
  ["a version to come", { version: 4 }, { ...PLAIN, version: 4 }],
] as const)("a header with %s", (_, fields, expected) => {
  expect(readQcow2Header(aQcow2Header(fields))).toEqual(expected);
});

test("what does not begin as one is none, and what is cut short never throws", () => {
  expect(readQcow2Header(new Uint8Array(0))).toBeNull();
  expect(readQcow2Header(Buffer.alloc(HEADER_BYTES))).toBeNull();
  const whole = aQcow2Header({ backingFile: "/b", backingFormat: "raw", dataFile: "/d" });
  fc.assert(
    fc.property(fc.nat(whole.length), fc.uint8Array({ maxLength: 300 }), (cut, noise) => {
      readQcow2Header(whole.subarray(0, cut));
      readQcow2Header(Buffer.concat([whole.subarray(0, Math.min(cut, 120)), noise]));
    }),
  );
});

describe.runIf(requires("images as qemu-img makes them", "qemu-img"))("with qemu-img", () => {
  const run = promisify(execFile);
  test.each([
    ["alone", [], {}],
    ["version 2", ["-o", "compat=0.10"], { version: 2 }],
    ["over another", ["-b", "base.raw", "-F", "raw"], { backingFile: "base.raw", backingFormat: "raw" }],
    ["clusters of 2 MiB", ["-o", "cluster_size=2M", "-b", "base.raw", "-F", "raw"], { backingFile: "base.raw" }],
    ["a data file", ["-o", "data_file=data.raw"], { dataFile: "data.raw" }],
  ] as const)("%s", async (_, options, expected) => {
    await using folder = await aTempFolder();
    await run("qemu-img", ["create", "-q", "-f", "raw", "base.raw", "1M"], { cwd: folder.path });
    await run("qemu-img", ["create", "-q", "-f", "qcow2", ...options, "image", "64M"], { cwd: folder.path });
    const { qcow2, kind } = await lookAtImage(join(folder.path, "image"));
    expect({ qcow2, kind }).toMatchObject({
      kind: "file",
      qcow2: { virtualBytes: PLAIN.virtualBytes, backingFile: null, dataFile: null, ...expected },
    });
  });
});
