/** An agent that dies at any moment of a pull, or of a conversion, leaves nothing that could be taken for the image, and nothing that stays. */
import { execFile, execFileSync } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { ImageCache } from "../../../src/agent/images/image-cache.ts";
import { instant } from "../../../src/model/names.ts";
import type { RemoteImage } from "../../../src/model/remote-image.ts";
import { anImageServer } from "../../support/an-image-server.ts";
import { requires } from "../../support/requirements.ts";
import { aTempFolder } from "../../support/temp-folder.ts";

const SCRIPT = fileURLToPath(new URL("../../support/image-puller-script.ts", import.meta.url));
const MIB = 1024 * 1024;
const never = new AbortController().signal;

/** Each victim dies at the next step but a few: all are met in a handful of runs of the suite, and the edges in each. */
const STRIDE = 3;

test.runIf(requires("images that are converted", "qemu-img"))(
  "killed at any step, it leaves no half image, and the next agent has the whole one",
  async () => {
    await using folder = await aTempFolder();
    const raw = Buffer.concat([randomBytes(MIB), Buffer.alloc(2 * MIB), randomBytes(MIB)]);
    const [from, to] = [join(folder.path, "a.raw"), join(folder.path, "a.qcow2")];
    await writeFile(from, raw);
    execFileSync("qemu-img", ["convert", "-q", "-f", "raw", "-O", "qcow2", from, to]);
    const image = await readFile(to);
    await using server = await anImageServer({ "/a.qcow2": image });
    const digest = createHash("sha256").update(image).digest("hex");
    const remote: RemoteImage = {
      format: "qcow2",
      sources: [
        {
          ...{ architecture: null, urls: [server.url("/a.qcow2")], compression: "none" },
          checksum: { algorithm: "sha256", digest },
        },
      ],
    };
    const died = new Set<string>();
    const first = 1 + Math.floor(Math.random() * STRIDE);
    for (let dieAt = first, isOver = false; !isOver; dieAt += STRIDE) {
      const data = join(folder.path, "data");
      await mkdir(data);
      await new Promise((resolve) =>
        execFile(process.execPath, [SCRIPT, data, JSON.stringify(remote), `${dieAt}`], resolve),
      );
      isOver = existsSync(join(data, "finished"));
      died.add((await readdir(join(data, "images"), { recursive: true }).catch(() => [])).sort().join());
      // What is there under its own name is whole, before anybody has cleared up.
      for (const name of await readdir(join(data, "images")).catch(() => []))
        if (name.startsWith("sha256-"))
          expect((await readFile(join(data, "images", name, "image.raw"))).equals(raw), `after step ${dieAt}`).toBe(
            true,
          );
      const cache = await ImageCache.open({
        ...{ dataFolder: data, now: () => instant("2026-01-01T12:00:00.000Z"), stopping: never },
        ...{ bytesPerSecond: null, allowPrivate: false, reserveBytes: 1024 },
      });
      const kept = await cache.need("a", remote, null, never);
      expect((await readFile(kept.path)).equals(raw), `after step ${dieAt}`).toBe(true);
      expect((await readdir(join(data, "images"))).sort()).toEqual(["names.json", kept.key]);
      expect((await readdir(join(data, "images", kept.key))).sort()).toEqual(["about.json", "image.raw"]);
      await rm(data, { recursive: true });
    }
    // It died before, within and after.
    expect(died.size).toBeGreaterThanOrEqual(4);
  },
  300_000,
);
