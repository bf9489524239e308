/** Images are fetched once, are what their checksum says, and nothing half-made is ever used: on a real server that does not behave. */
import { execFileSync } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, readdir, readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { gzipSync, zstdCompressSync } from "node:zlib";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { ImageCache, type ImageCacheOptions } from "../../../src/agent/images/image-cache.ts";
import { instant } from "../../../src/model/names.ts";
import type { Compression, ImageSource, RemoteImage } from "../../../src/model/remote-image.ts";
import {
  anImageServer,
  type Behaviour,
  breaksAtEveryTenth,
  type ImageServer,
  serveWell,
} from "../../support/an-image-server.ts";
import { requires } from "../../support/requirements.ts";
import { aTempFolder } from "../../support/temp-folder.ts";

let folder: Awaited<ReturnType<typeof aTempFolder>>;
const servers: AsyncDisposable[] = [];

beforeEach(async () => {
  folder = await aTempFolder();
});
afterEach(async () => {
  vi.unstubAllEnvs();
  for (const each of servers.splice(0)) await each[Symbol.asyncDispose]();
  await folder[Symbol.asyncDispose]();
});

async function serving(...args: Parameters<typeof anImageServer>): Promise<ImageServer> {
  const server = await anImageServer(...args);
  servers.push(server);
  return server;
}

const never = new AbortController().signal;

const openCache = (over: Partial<ImageCacheOptions> = {}): Promise<ImageCache> =>
  ImageCache.open({
    dataFolder: folder.path,
    now: () => instant("2026-01-01T12:00:00.000Z"),
    stopping: never,
    bytesPerSecond: null,
    allowPrivate: false,
    reserveBytes: 1024,
    ...over,
  });

const sha = (bytes: Buffer, algorithm: "sha256" | "sha512" = "sha256") => ({
  algorithm,
  digest: createHash(algorithm).update(bytes).digest("hex"),
});

const remoteOf = (
  urls: readonly string[],
  checksum: ImageSource["checksum"],
  { format = "raw" as RemoteImage["format"], compression = "none" as Compression } = {},
): RemoteImage => ({ format, sources: [{ architecture: null, urls, checksum, compression }] });

const MIB = 1024 * 1024;

/** Noise, a hole of two thirds, noise. */
const DISK = Buffer.concat([randomBytes(MIB), Buffer.alloc(4 * MIB), randomBytes(MIB), Buffer.alloc(MIB / 2)]);

/** What lies in the cache beside images that are whole. */
const leftovers = async (): Promise<readonly string[]> =>
  (await readdir(join(folder.path, "images")).catch(() => [])).filter((name) => name.startsWith("."));

async function expectWhole(path: string, bytes: Buffer): Promise<void> {
  expect((await readFile(path)).equals(bytes)).toBe(true);
  const stats = await stat(path);
  expect(stats.mode & 0o777).toBe(0o444);
  expect(await leftovers()).toEqual([]);
}

async function qcow2Of(raw: Buffer, more: readonly string[] = []): Promise<Buffer> {
  const [from, to] = [join(folder.path, "made.raw"), join(folder.path, "made.qcow2")];
  await writeFile(from, raw);
  execFileSync("qemu-img", ["convert", "-q", "-f", "raw", "-O", "qcow2", ...more, from, to]);
  return await readFile(to);
}

describe.runIf(requires("images that are fetched", "qemu-img", "xz", "bzip2"))(
  "an image that comes as it should",
  () => {
    test("is verified, keeps its holes, and nobody may write to it", async () => {
      const server = await serving({ "/a.raw": DISK });
      const cache = await openCache();
      const kept = await cache.need("a", remoteOf([server.url("/a.raw")], sha(DISK)), null, never);
      await expectWhole(kept.path, DISK);
      expect((await stat(kept.path)).blocks * 512).toBeLessThanOrEqual(2 * MIB + 128 * 1024);
      expect(kept).toMatchObject({ name: "a", fetchedBytes: DISK.length, virtualBytes: DISK.length });
    });

    test.each<[Compression, (bytes: Buffer) => Buffer]>([
      ["gz", (bytes) => gzipSync(bytes)],
      ["zst", (bytes) => zstdCompressSync(bytes)],
      ["xz", (bytes) => execFileSync("xz", ["-0", "-c"], { input: bytes, maxBuffer: 64 * MIB })],
      ["bz2", (bytes) => execFileSync("bzip2", ["-1", "-c"], { input: bytes, maxBuffer: 64 * MIB })],
    ])("is unpacked in the stream: %s", async (compression, pack) => {
      const packed = pack(DISK);
      const server = await serving({ "/a": packed }, breaksAtEveryTenth);
      const cache = await openCache();
      const remote = remoteOf([server.url("/a")], sha(packed, "sha512"), { compression });
      await expectWhole((await cache.need("a", remote, null, never)).path, DISK);
      expect((await stat((await cache.list())[0]?.path as string)).blocks * 512).toBeLessThan(3 * MIB);
    });

    test.each([[[]], [["-c"]]])("becomes raw where it is qcow2 %s", async (more) => {
      const image = await qcow2Of(DISK, more);
      const server = await serving({ "/a": image });
      const cache = await openCache();
      const kept = await cache.need("a", remoteOf([server.url("/a")], sha(image), { format: "qcow2" }), null, never);
      await expectWhole(kept.path, DISK);
    });

    test("is fetched once for all who ask, and not again by the next agent", async () => {
      const server = await serving({ "/a.raw": DISK });
      const cache = await openCache();
      const remote = remoteOf([server.url("/a.raw")], sha(DISK));
      const all = await Promise.all(Array.from({ length: 5 }, () => cache.need("a", remote, null, never)));
      expect(new Set(all.map(({ path }) => path)).size).toBe(1);
      await (await openCache()).need("b", remote, null, never);
      expect(server.asked).toEqual(["GET /a.raw 0-"]);
    });

    test("may be a file of the node", async () => {
      await writeFile(join(folder.path, "here.raw"), DISK);
      const cache = await openCache();
      const kept = await cache.need("a", remoteOf([`file://${folder.path}/here.raw`], sha(DISK)), null, never);
      await expectWhole(kept.path, DISK);
    });

    test("is known by what a file of checksums says at that time", async () => {
      let now = DISK;
      const sums = () => Buffer.from(`${sha(now, "sha512").digest} *./a.raw\n${sha(DISK).digest}  other.raw\n`);
      const server = await serving({ "/a.raw": () => now, "/SUMS": sums });
      const cache = await openCache();
      const remote = remoteOf([server.url("/a.raw")], { url: server.url("/SUMS"), file: "a.raw" });
      expect(await cache.look(remote, never)).toEqual({
        digest: `sha512:${sha(DISK, "sha512").digest}`,
        present: false,
        bytes: DISK.length,
        virtualBytes: null,
        bytesPerSecond: null,
      });
      const first = await cache.need("a", remote, null, never);
      expect(await cache.look(remote, never)).toMatchObject({ present: true, bytes: DISK.length });
      now = Buffer.concat([randomBytes(MIB), DISK]);
      expect(await cache.look(remote, never)).toMatchObject({ present: false });
      expect((await cache.find(remote))?.key).toBe(first.key);
      const second = await cache.need("a", remote, null, never);
      await expectWhole(first.path, DISK);
      await expectWhole(second.path, now);
      expect((await (await openCache()).find(remote))?.key).toBe(second.key);
    });
  },
);

describe("a source that is bad", () => {
  test("breaks at every tenth: it is taken up where it broke", async () => {
    const server = await serving({ "/a.raw": DISK }, breaksAtEveryTenth);
    const cache = await openCache();
    await expectWhole((await cache.need("a", remoteOf([server.url("/a.raw")], sha(DISK)), null, never)).path, DISK);
    expect(server.asked.length).toBeGreaterThanOrEqual(10);
    expect(server.asked[1]).toMatch(/^GET \/a\.raw [1-9]\d*-$/);
  });

  test("breaks after a few bytes each time: what came before a break counts", async () => {
    const small = randomBytes(5000);
    const server = await serving({ "/a.raw": small }, breaksAtEveryTenth);
    const cache = await openCache();
    await expectWhole((await cache.need("a", remoteOf([server.url("/a.raw")], sha(small)), null, never)).path, small);
    expect(server.asked.length).toBeGreaterThanOrEqual(10);
  });

  const OTHER = Buffer.concat([randomBytes(DISK.length)]);
  /** The first answer breaks in the middle; then this. */
  const thenAnswers =
    (next: Behaviour): Behaviour =>
    (request, response, body) => {
      if (request.headers.range === undefined && !seen.has(body)) {
        seen.add(body);
        response.writeHead(200, { etag: '"one"', "content-length": body.length });
        response.write(body.subarray(0, body.length / 2), () => response.destroy());
      } else next(request, response, body);
    };
  const seen = new Set<Buffer>();
  const at206 =
    (headers: (from: number) => Record<string, string>, bytes: (from: number) => Buffer): Behaviour =>
    (request, response, body) => {
      const from = Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? "")?.[1] ?? Number.NaN);
      if (Number.isNaN(from)) return serveWell(request, response, body);
      response.writeHead(206, { "content-length": bytes(from).length, ...headers(from) }).end(bytes(from));
    };
  const range = (from: number, total = DISK.length) => ({ "content-range": `bytes ${from}-${total - 1}/${total}` });

  test.each<[string, Behaviour]>([
    [
      "has another file now: another tag",
      at206(
        (from) => ({ ...range(from), etag: '"two"' }),
        (from) => OTHER.subarray(from),
      ),
    ],
    [
      "lies in 206: bytes of another file",
      at206(
        (from) => ({ ...range(from), etag: '"one"' }),
        (from) => OTHER.subarray(from),
      ),
    ],
    [
      "lies in 206: another part than was asked for",
      at206(
        () => ({ ...range(0), etag: '"one"' }),
        () => DISK,
      ),
    ],
    [
      "has a longer file now",
      at206(
        (from) => ({ ...range(from, DISK.length + 5) }),
        (from) => OTHER.subarray(from),
      ),
    ],
    [
      "answers the whole to who wants a part",
      (_request, response) => void response.writeHead(200, { "content-length": DISK.length }).end(DISK),
    ],
    [
      "knows no such part any more",
      (request, response, body) =>
        request.headers.range ? void response.writeHead(416).end() : serveWell(request, response, body),
    ],
  ])("%s: it is begun anew", async (_, next) => {
    seen.clear();
    const server = await serving({ "/a.raw": DISK }, thenAnswers(next));
    const cache = await openCache();
    await expectWhole((await cache.need("a", remoteOf([server.url("/a.raw")], sha(DISK)), null, never)).path, DISK);
  });

  test.each<[string, Behaviour, string]>([
    ["another file", (_request, response) => void response.end(OTHER), "IMAGE_REFUSED"],
    [
      "a page",
      (_request, response) => void response.setHeader("content-type", "text/html; charset=utf-8").end("<html>"),
      "IMAGE_REFUSED",
    ],
    ["nothing there", (_request, response) => void response.writeHead(404).end(), "IMAGE_REFUSED"],
    ["not for everybody", (_request, response) => void response.writeHead(403).end(), "IMAGE_REFUSED"],
    [
      "shorter than it should be",
      (_request, response, body) => void response.end(body.subarray(0, MIB)),
      "IMAGE_REFUSED",
    ],
    ["empty", (_request, response) => void response.end(), "IMAGE_REFUSED"],
    [
      "an address of its own, again and again",
      (request, response) => void response.writeHead(302, { location: request.url ?? "" }).end(),
      "IMAGE_REFUSED",
    ],
  ])("%s: nothing of it stays", async (_, behaviour, code) => {
    const server = await serving({ "/a.raw": DISK }, behaviour);
    const cache = await openCache();
    const remote = remoteOf([server.url("/a.raw")], sha(DISK));
    await expect(cache.need("a", remote, null, never)).rejects.toMatchObject({ code, hint: expect.any(String) });
    expect(await cache.list()).toEqual([]);
    expect(await leftovers()).toEqual([]);
    expect(await cache.find(remote)).toBeNull();
  });

  test("the next mirror is asked, and goes on where the last one broke", async () => {
    const bad = await serving({ "/a.raw": DISK }, (request, response, body) => {
      if (request.headers.range !== undefined) return void response.writeHead(503).end();
      response.writeHead(200, { "content-length": body.length });
      response.write(body.subarray(0, MIB), () => response.destroy());
    });
    const good = await serving({ "/b.raw": DISK });
    const cache = await openCache();
    const remote = remoteOf([bad.url("/nothing.raw"), bad.url("/a.raw"), good.url("/b.raw")], sha(DISK));
    await expectWhole((await cache.need("a", remote, null, never)).path, DISK);
    // Some of what came may be lost in a break, but not all of it.
    expect(good.asked.map((each) => each.replace(/[1-9]\d*-$/, "N-"))).toEqual(["GET /b.raw N-"]);
  });

  test("a mirror with another file is passed over", async () => {
    const server = await serving({ "/a.raw": OTHER, "/b.raw": DISK });
    const cache = await openCache();
    const remote = remoteOf([server.url("/a.raw"), server.url("/b.raw")], sha(DISK));
    await expectWhole((await cache.need("a", remote, null, never)).path, DISK);
  });

  test("no checksum of it in the file of checksums", async () => {
    const server = await serving({ "/a.raw": DISK, "/SUMS": Buffer.from(`${sha(DISK).digest}  b.raw\n`) });
    const cache = await openCache();
    const remote = remoteOf([server.url("/a.raw")], { url: server.url("/SUMS"), file: "a.raw" });
    await expect(cache.need("a", remote, null, never)).rejects.toMatchObject({ code: "IMAGE_REFUSED" });
    expect(server.asked).toEqual(["GET /SUMS 0-"]);
  });
});

describe.runIf(requires("images that are fetched and unpacked", "qemu-img", "xz"))("what is in it", () => {
  test.each<[string, () => Promise<Buffer>, RemoteImage["format"], Compression]>([
    ["raw that is said to be qcow2", async () => DISK, "qcow2", "none"],
    ["qcow2 that is said to be raw", () => qcow2Of(DISK), "raw", "none"],
    ["a damaged qcow2", async () => (await qcow2Of(DISK)).subarray(0, 300_000), "qcow2", "none"],
    ["a qcow2 that reads from another file", () => overSecret(), "qcow2", "none"],
    ["damaged gzip", async () => gzipSync(DISK).subarray(0, 100_000), "raw", "gz"],
    ["no gzip at all", async () => DISK, "raw", "gz"],
    ["no xz at all", async () => DISK, "raw", "xz"],
    ["damaged zstd", async () => zstdCompressSync(DISK).subarray(0, 100_000), "raw", "zst"],
  ])("%s is refused, though its checksum is right", async (_, make, format, compression) => {
    const bytes = await make();
    const server = await serving({ "/a": bytes });
    const cache = await openCache();
    const remote = remoteOf([server.url("/a")], sha(bytes), { format, compression });
    const error = await cache.need("a", remote, null, never).catch((each: unknown) => each);
    expect(["IMAGE_REFUSED", "UNSUPPORTED"]).toContain((error as { code: string }).code);
    expect(await cache.list()).toEqual([]);
    expect(await leftovers()).toEqual([]);
  });

  test("what a program had not unpacked when it was killed is missed, though all was fetched and its checksum is right", async () => {
    const programs = join(folder.path, "bin");
    await mkdir(programs);
    // As the kernel does where memory is short: all was read, half was written.
    await writeFile(join(programs, "xz"), "#!/bin/sh\ncat >/dev/null\nhead -c 65536 /dev/zero\nkill -9 $$\n", {
      mode: 0o755,
    });
    vi.stubEnv("PATH", `${programs}:${process.env.PATH}`);
    const bytes = randomBytes(10_000);
    const server = await serving({ "/a": bytes });
    const cache = await openCache();
    const remote = remoteOf([server.url("/a")], sha(bytes), { compression: "xz" });
    await expect(cache.need("a", remote, null, never)).rejects.toMatchObject({
      code: "IMAGE_FETCH_FAILED",
      message: expect.stringContaining("SIGKILL"),
    });
    expect(await cache.list()).toEqual([]);
  });

  async function overSecret(): Promise<Buffer> {
    const path = join(folder.path, "over.qcow2");
    execFileSync("qemu-img", ["create", "-q", "-u", "-f", "qcow2", "-b", "/etc/shadow", "-F", "raw", path, "1M"]);
    return await readFile(path);
  }
});

describe("where it leads", () => {
  const leadsTo =
    (location: string): Behaviour =>
    (_request, response) =>
      void response.writeHead(302, { location }).end();

  test("from this host to this host is fine; to what is nearer, by name or by number, is not", async () => {
    const target = await serving({ "/b.raw": DISK });
    const server = await serving(
      {},
      { "/near": leadsTo(target.url("/b.raw")), "/meta": leadsTo("http://169.254.169.254/latest") },
    );
    const cache = await openCache();
    await expectWhole((await cache.need("a", remoteOf([server.url("/near")], sha(DISK)), null, never)).path, DISK);
    const other = remoteOf([server.url("/meta")], sha(randomBytes(1)));
    await expect(cache.need("a", other, null, never)).rejects.toMatchObject({
      code: "IMAGE_REFUSED",
      message: expect.stringContaining("169.254.169.254"),
    });
  });
});

describe("whoever goes away", () => {
  test("an asker that leaves stops nothing; an agent that stops leaves what can go on, and the next one goes on", async () => {
    const stop = new AbortController();
    const slow: Behaviour = (request, response, body) => {
      if (request.headers.range !== undefined) return serveWell(request, response, body);
      response.writeHead(200, { etag: '"one"', "content-length": body.length });
      response.write(body.subarray(0, 2 * MIB));
    };
    const full = Buffer.concat([randomBytes(3 * MIB), DISK]);
    const server = await serving({ "/a.raw": full }, slow);
    const cache = await openCache({ stopping: stop.signal });
    const remote = remoteOf([server.url("/a.raw")], sha(full));
    const leaving = new AbortController();
    const asked = cache.need("a", remote, null, leaving.signal);
    await expect.poll(() => cache.pulling()[0]?.bytes, { timeout: 30_000 }).toBe(2 * MIB);
    expect(cache.pulling()).toMatchObject([{ name: "a", state: "fetching", totalBytes: full.length }]);
    leaving.abort(new Error("gone"));
    await expect(asked).rejects.toThrow("gone");
    expect(cache.pulling().length).toBe(1);
    stop.abort(new Error("stopping"));
    await cache.idle();
    expect(await cache.list()).toEqual([]);
    const next = await openCache();
    await expectWhole((await next.need("a", remote, null, never)).path, full);
    expect(server.asked.at(-1)).toMatch(/^GET \/a\.raw [1-9]\d*-$/);
  });

  test("what a crash leaves is swept, and is no image", async () => {
    const key = `sha256-${"a".repeat(64)}.raw`;
    const at = (...parts: string[]) => join(folder.path, "images", ...parts);
    for (const [name, file] of [
      [`.new-${key}`, "content"],
      [`.old-${key}`, "image.raw"],
      [`.new-sha256-${"b".repeat(64)}.qcow2`, "download"],
    ] as const) {
      await mkdir(at(name), { recursive: true });
      await writeFile(at(name, file), "half");
    }
    const goesOn = at(`.new-sha256-${"c".repeat(64)}.qcow2`);
    await mkdir(goesOn);
    for (const file of ["download", "download.json", "image.raw"]) await writeFile(join(goesOn, file), "{}");
    const cache = await openCache();
    expect(await cache.list()).toEqual([]);
    expect(await leftovers()).toEqual([`.new-sha256-${"c".repeat(64)}.qcow2`]);
    expect((await readdir(goesOn)).sort()).toEqual(["download", "download.json"]);
    expect(await cache.unfinished()).toEqual([`sha256-${"c".repeat(64)}.qcow2`]);
  });

  test("an image that somebody is about to use is not removed; one that goes is gone for everybody at once", async () => {
    const server = await serving({ "/a.raw": DISK });
    const cache = await openCache();
    const remote = remoteOf([server.url("/a.raw")], sha(DISK));
    const { key, path } = await cache.need("a", remote, null, never);
    await cache.hold("a", remote, never, async () => {
      expect(await cache.remove(key, cache.usesOf(key))).toBe(false);
    });
    expect(await cache.remove(key, cache.usesOf(key))).toBe(true);
    expect(existsSync(path)).toBe(false);
    expect(await cache.find(remote)).toBeNull();
    expect(await leftovers()).toEqual([]);
  });

  test("there is no room: it says so before the first byte, and nothing stays", async () => {
    const server = await serving({ "/a.raw": DISK });
    const cache = await openCache({ reserveBytes: Number.MAX_SAFE_INTEGER });
    await expect(cache.need("a", remoteOf([server.url("/a.raw")], sha(DISK)), null, never)).rejects.toMatchObject({
      code: "INSUFFICIENT_STORAGE",
      hint: expect.stringContaining("odorobo image prune"),
    });
    expect(await leftovers()).toEqual([]);
  });
});

test("no more comes in a second than the agent may take", async () => {
  const bytes = randomBytes(3 * MIB);
  const server = await serving({ "/a.raw": bytes });
  const cache = await openCache({ bytesPerSecond: 2 * MIB });
  const kept = await cache.need("a", remoteOf([server.url("/a.raw")], sha(bytes)), null, never);
  // One second's worth comes at once, the rest at that rate: never faster, however busy the machine is.
  expect(kept.bytesPerSecond).toBeLessThanOrEqual(7 * MIB);
});
