/** Segments of a disk's file: what is compared, and how one file is made like another without filling its holes. */
import { open, readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import {
  checksumOf,
  digestOfBytes,
  runsOf,
  SEGMENT_BYTES,
  SegmentReader,
  SegmentWriter,
  segmentBytesFor,
  segmentsOf,
} from "../../../src/agent/storage/disk-segments.ts";
import { requires } from "../../support/requirements.ts";
import { aTempFolder } from "../../support/temp-folder.ts";

test("segments cover a file, and the last is as long as the rest of it", () => {
  expect([...segmentsOf(0, SEGMENT_BYTES)]).toEqual([]);
  expect([...segmentsOf(SEGMENT_BYTES + 1, SEGMENT_BYTES)]).toEqual([
    { index: 0, offset: 0, bytes: SEGMENT_BYTES },
    { index: 1, offset: SEGMENT_BYTES, bytes: 1 },
  ]);
});

test("a file of any length has digests that fit into a message", () => {
  expect(segmentBytesFor(0)).toBe(SEGMENT_BYTES);
  expect(segmentBytesFor(5 * 1024 ** 4)).toBe(SEGMENT_BYTES);
  expect(segmentBytesFor(9 * 1024 ** 4)).toBe(2 * SEGMENT_BYTES);
});

test("runs are whole blocks that differ, neighbours in one", () => {
  const block = 64 * 1024;
  const content = Buffer.alloc(4 * block + 10);
  expect(runsOf(content)).toEqual([]);
  content[0] = 1;
  content[block + 5] = 1;
  content[4 * block + 9] = 1;
  expect(runsOf(content)).toEqual([
    [0, 2 * block],
    [4 * block, 10],
  ]);
  expect(runsOf(content, Buffer.from(content))).toEqual([]);
});

test("a file is made like another: zeros over bytes are written, zeros over nothing are not", async () => {
  await using folder = await aTempFolder();
  const path = join(folder.path, "disk");
  await writeFile(path, Buffer.alloc(200_000, "x"));
  const content = Buffer.alloc(SEGMENT_BYTES);
  content.write("here", 70_000);
  {
    await using file = await SegmentWriter.open(path);
    await file.write({ index: 0, offset: 0, bytes: SEGMENT_BYTES }, content);
    expect(await file.size()).toBe(SEGMENT_BYTES);
  }
  expect(content.equals(await readFile(path))).toBe(true);
  expect((await stat(path)).blocks * 512).toBeLessThan(SEGMENT_BYTES / 8);
});

test("what is read behind the end is zeros, and who writes is seen", async () => {
  await using folder = await aTempFolder();
  const path = join(folder.path, "disk");
  await writeFile(path, "abc");
  await using reader = await SegmentReader.open(path);
  const version = await reader.version();
  expect((await reader.read({ index: 0, offset: 0, bytes: 5 })).toString("latin1")).toBe("abc\0\0");
  expect(await reader.version()).toBe(version);
  const file = await open(path, "r+");
  await file.write(Buffer.from("x"), 0, 1, 0);
  await file.close();
  expect(await reader.version()).not.toBe(version);
});

test("a checksum is of the length, too", () => {
  const zeros = digestOfBytes(Buffer.alloc(5));
  expect(checksumOf(5, [zeros])).toBe(checksumOf(5, [zeros]));
  expect(checksumOf(5, [zeros])).not.toBe(checksumOf(6, [zeros]));
});

test.runIf(requires("holes that are asked for", "qemu-img"))(
  "holes are not read, and have the digest of zeros",
  async () => {
    await using folder = await aTempFolder();
    const path = join(folder.path, "disk");
    const bytes = 40 * SEGMENT_BYTES + 777;
    const file = await open(path, "w");
    await file.truncate(bytes);
    await file.write(Buffer.from("one"), 0, 3, 5 * SEGMENT_BYTES - 1);
    await file.write(Buffer.from("end"), 0, 3, bytes - 3);
    await file.close();
    await using asked = await SegmentReader.open(path);
    await asked.lookForHoles();
    await using read = await SegmentReader.open(path);
    const holes: number[] = [];
    for (const segment of segmentsOf(bytes, SEGMENT_BYTES)) {
      const { content, digest } = await asked.digest(segment);
      expect(digest).toBe(digestOfBytes(await read.read(segment)));
      if (content === null) holes.push(segment.index);
    }
    expect(holes).toEqual([...Array(41).keys()].filter((index) => ![4, 5, 40].includes(index)));
  },
);
