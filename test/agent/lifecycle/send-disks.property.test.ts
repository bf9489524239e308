/**
 * Whatever is in a file, wherever the link breaks and whoever writes to it in between: in the end both files are the same, both sides have the
 * same checksum, and what was there before a break is not sent again.
 */
import { readFileSync } from "node:fs";
import { open, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type Duplex, duplexPair } from "node:stream";
import fc from "fast-check";
import { expect, test } from "vitest";
import { ReceivedDisks } from "../../../src/agent/lifecycle/migration/cold/receive-disks.ts";
import { type SentFile, sendDisks, Toll } from "../../../src/agent/lifecycle/migration/cold/send-disks.ts";
import { isOdoroboError } from "../../../src/model/errors.ts";
import type { DiskFile } from "../../../src/wire/move-line.ts";
import { NEVER } from "../../support/an-agent.ts";
import { aTempFolder } from "../../support/temp-folder.ts";

const ORIGIN = { kind: "blank", sizeMiB: 1 } as const;
const SEGMENT_BYTES = 128 * 1024;
const FILE_BYTES = 5 * SEGMENT_BYTES + 12_345;

interface Write {
  readonly at: number;
  readonly length: number;
  readonly byte: number;
}
interface Break {
  /** Bytes that get through before it. */
  readonly after: number;
  /** What somebody writes at the source meanwhile. */
  readonly writes: readonly Write[];
  /** The agent that receives is started anew: nothing is known there but the file. */
  readonly isForgotten: boolean;
}

const anyWrite: fc.Arbitrary<Write> = fc.record({
  at: fc.integer({ min: 0, max: FILE_BYTES - 1 }),
  length: fc.integer({ min: 1, max: 150_000 }),
  byte: fc.integer({ min: 0, max: 255 }),
});
const anyBreak: fc.Arbitrary<Break> = fc.record({
  after: fc.oneof(fc.integer({ min: 0, max: 2_000 }), fc.integer({ min: 0, max: 400_000 })),
  writes: fc.oneof(
    { weight: 3, arbitrary: fc.constant([]) },
    { weight: 1, arbitrary: fc.array(anyWrite, { maxLength: 2 }) },
  ),
  isForgotten: fc.boolean(),
});

async function writeAt(path: string, writes: readonly Write[], bytes: number): Promise<void> {
  const file = await open(path, "r+");
  for (const { at, length, byte } of writes) {
    const some = Math.min(length, bytes - at);
    if (some > 0) await file.write(Buffer.alloc(some, byte), 0, some, at);
  }
  await file.close();
}

/** A way to the other side that ends after so many bytes; null: never. */
function aRoute(received: () => ReceivedDisks, after: number | null) {
  const open = new Set<Duplex>();
  let left = after ?? Number.POSITIVE_INFINITY;
  const route = {
    signal: NEVER,
    segmentBytes: SEGMENT_BYTES,
    state: (file: DiskFile) => received().state(file, NEVER),
    async open(channel: string) {
      const [here, there] = duplexPair();
      for (const [end, other] of [
        [here, there],
        [there, here],
      ] as const) {
        open.add(end);
        end.on("error", () => {});
        end.once("close", () => other.destroy());
      }
      const write = here._write.bind(here);
      here._write = (chunk: Buffer, encoding, done) => {
        const some = Math.min(left, chunk.length);
        left -= some;
        if (some === chunk.length) return write(chunk, encoding, done);
        write(chunk.subarray(0, some), encoding, () => {
          for (const end of open) end.destroy();
          done(null);
        });
      };
      received().letIn(channel, (stream) => stream)(there);
      return here;
    },
  };
  return route;
}

test("both files are the same in the end", { timeout: 120_000 }, async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(anyWrite, { maxLength: 6 }),
      fc.option(fc.array(anyWrite, { minLength: 1, maxLength: 3 })),
      fc.array(anyBreak, { maxLength: 4 }),
      async (writes, before, breaks) => {
        await using folder = await aTempFolder();
        const [source, target] = [join(folder.path, "source"), join(folder.path, "target")];
        await writeFile(source, "");
        await writeAt(source, [{ at: FILE_BYTES - 1, length: 1, byte: 0 }, ...writes], FILE_BYTES);
        // Left there by an earlier life of it, longer than it is now.
        if (before !== null) {
          await writeFile(target, Buffer.alloc(FILE_BYTES + 1_000));
          await writeAt(target, before, FILE_BYTES);
        }
        const there = () => new ReceivedDisks([{ name: "data", path: target, origin: ORIGIN }]);
        let received = there();
        const toll = new Toll(null, () => {});
        const disks = [{ name: "data", path: source, origin: ORIGIN }];
        let files: readonly SentFile[] | null = null;
        for (const { after, writes: meanwhile, isForgotten } of breaks) {
          try {
            files = await sendDisks(disks, { route: aRoute(() => received, after), toll });
            break;
          } catch (error) {
            expect(isOdoroboError(error, "AGENT_UNREACHABLE"), String(error)).toBe(true);
          }
          await writeAt(source, meanwhile, FILE_BYTES);
          if (!isForgotten) continue;
          await received.close();
          received = there();
        }
        files ??= await sendDisks(disks, { route: aRoute(() => received, null), toll });
        await received.verify(files, NEVER);
        expect(readFileSync(source).equals(await readFile(target))).toBe(true);
        // Asked again: all is there, and nothing is sent.
        const sentBytes = toll.sentBytes;
        expect(await sendDisks(disks, { route: aRoute(() => received, null), toll })).toEqual(files);
        expect(toll.sentBytes).toBe(sentBytes);
        // A byte that is another is noticed.
        await writeAt(target, [{ at: 3, length: 1, byte: ((await readFile(target))[3] ?? 0) ^ 1 }], FILE_BYTES);
        await expect(received.verify(files, NEVER)).rejects.toMatchObject({ code: "MIGRATION_FAILED" });
        await received.close();
      },
    ),
    { numRuns: 60 },
  );
});
