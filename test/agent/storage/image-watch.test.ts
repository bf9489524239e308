/** What lies below an overlay: when it counts as the same, and when not. */
import { execFile } from "node:child_process";
import { copyFile, cp, link, open, rename, rm, symlink, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import fc from "fast-check";
import { expect, test } from "vitest";
import { noteChain, placesToRead } from "../../../src/agent/storage/image-note.ts";
import { ImageWatch } from "../../../src/agent/storage/image-watch.ts";
import { aQcow2Header } from "../../support/a-qcow2-header.ts";
import { aTempFolder } from "../../support/temp-folder.ts";

const MIB = 1024 * 1024;
/** Half a second has an exact double, which is what `utimes` takes. */
const LONG_AGO = new Date("2026-01-01T12:00:00.500Z");

async function anImage(contents: Uint8Array = Buffer.alloc(8 * MIB, "a")) {
  const folder = await aTempFolder();
  const at = (name: string) => join(folder.path, name);
  await writeFile(at("a.raw"), contents);
  await utimes(at("a.raw"), LONG_AGO, LONG_AGO);
  const watch = new ImageWatch();
  return { at, watch, path: at("a.raw"), [Symbol.asyncDispose]: () => folder[Symbol.asyncDispose]() };
}

test("a file that nobody touched, or that has other names now, is the same", async () => {
  await using image = await anImage();
  const notes = await noteChain(image.path);
  expect(notes).toMatchObject([{ path: image.path, file: image.path, bytes: 8 * MIB, kind: "file" }]);
  await link(image.path, image.at("other"));
  expect(await image.watch.findChange(notes)).toBeNull();
});

test.each([
  ["nanoseconds", LONG_AGO],
  ["whole seconds", new Date("2026-01-01T12:00:00.000Z")],
])("a copy that kept the time in %s is the same", async (_, time) => {
  await using image = await anImage();
  const notes = await noteChain(image.path);
  await rename(image.path, image.at("old"));
  await copyFile(image.at("old"), image.path);
  await utimes(image.path, time, time);
  expect(await image.watch.findChange(notes)).toBeNull();
});

test("a copy that did not keep the time is asked about, and the hint is the way on", async () => {
  await using image = await anImage();
  const notes = await noteChain(image.path);
  await cp(image.path, image.at("copy"));
  await rename(image.at("copy"), image.path);
  const change = await image.watch.findChange(notes);
  const [, time = "", path = ""] = /touch -d (@\S+) (\S+)\./.exec(change?.hint ?? "") ?? [];
  await promisify(execFile)("touch", ["-d", time, path]);
  expect(await image.watch.findChange(notes)).toBeNull();
});

test("other contents of the same size and time are others, and a write in place is seen by its time", async () => {
  await using image = await anImage();
  const notes = await noteChain(image.path);
  await writeFile(image.at("b.raw"), Buffer.alloc(8 * MIB, "b"));
  await utimes(image.at("b.raw"), LONG_AGO, LONG_AGO);
  await rename(image.at("b.raw"), image.path);
  const other = await image.watch.findChange(notes);
  expect(other?.is).toContain("with other contents");
  expect(other?.hint).not.toContain("touch");

  await using written = await anImage();
  const before = await noteChain(written.path);
  const file = await open(written.path, "r+");
  // Between two samples: only the time tells.
  await file.write("x", 3 * MIB + 100_001);
  await file.close();
  expect(await written.watch.findChange(before)).toMatchObject({ isGone: false });
});

test("a link that leads elsewhere, or nowhere, is told with both ends", async () => {
  await using image = await anImage();
  const latest = image.at("latest");
  await symlink("a.raw", latest);
  const notes = await noteChain(latest);
  await writeFile(image.at("b.raw"), Buffer.alloc(8 * MIB, "b"));
  await rm(latest);
  await symlink("b.raw", latest);
  expect(await image.watch.findChange(notes)).toMatchObject({
    path: latest,
    was: expect.stringContaining(image.at("a.raw")),
    is: expect.stringContaining(image.at("b.raw")),
  });
  await rm(image.at("b.raw"));
  expect(await image.watch.findChange(notes)).toMatchObject({ isGone: true, is: "a link to nothing, b.raw" });
  await rm(latest);
  expect(await image.watch.findChange(notes)).toMatchObject({ isGone: true, is: "nothing" });
});

test("every image of a chain is looked at, and one that bites its tail is refused", async () => {
  await using image = await anImage();
  const chain = (name: string, backingFile: string) => writeFile(image.at(name), aQcow2Header({ backingFile }));
  await chain("b.qcow2", "a.raw");
  await chain("c.qcow2", image.at("b.qcow2"));
  const notes = await noteChain(image.at("c.qcow2"));
  expect(notes.map((note) => note.path)).toEqual([image.at("c.qcow2"), image.at("b.qcow2"), image.path]);
  await utimes(image.path, new Date(), new Date());
  expect(await image.watch.findChange(notes)).toMatchObject({ path: image.path });
  await chain("round.qcow2", "round.qcow2");
  await expect(noteChain(image.at("round.qcow2"))).rejects.toMatchObject({ code: "UNSUPPORTED" });
  await chain("far.qcow2", "nbd://10.0.0.1/x");
  await expect(noteChain(image.at("far.qcow2"))).rejects.toMatchObject({ code: "UNSUPPORTED" });
});

test("samples lie inside of the image, in order, and cover all of a small one", () => {
  fc.assert(
    fc.property(fc.oneof(fc.nat(8 * MIB), fc.nat(2 ** 40)), (bytes) => {
      const places = placesToRead(bytes);
      let end = 0;
      for (const [at, length] of places) {
        expect(at).toBeGreaterThanOrEqual(end);
        end = at + length;
      }
      expect(end).toBe(bytes);
      const read = places.reduce((sum, [, length]) => sum + length, 0);
      expect(read).toBe(Math.min(bytes, Math.max(read, Math.min(bytes, 3 * MIB))));
    }),
  );
});
