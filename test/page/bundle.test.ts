/** What a browser is sent: small, hashed, compressed ahead, and nothing inline. */
import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { gunzipSync } from "node:zlib";
import { expect, test } from "vitest";
import { BUILT_COMMAND } from "../support/built.ts";

const PAGE = fileURLToPath(new URL("../dist/page/", `file://${BUILT_COMMAND}`));
const assets = () => readdirSync(join(PAGE, "assets"));
const sizeOf = (file: string): number => statSync(join(PAGE, file)).size;
const KB = 1_000;

test("all of it, the console's script included, is less than 200 kB packed; what is needed first less than 60", () => {
  const packed = [
    "index.html.gz",
    ...assets()
      .filter((name) => name.endsWith(".gz"))
      .map((name) => `assets/${name}`),
  ];
  const all = packed.reduce((sum, file) => sum + sizeOf(file), 0);
  const first = packed.filter((file) => !file.includes("console")).reduce((sum, file) => sum + sizeOf(file), 0);
  expect(packed.length).toBeGreaterThan(4);
  expect(all).toBeLessThan(200 * KB);
  expect(first).toBeLessThan(60 * KB);
});

test("each file is there compressed, and the same", () => {
  for (const name of assets().filter((name) => !/\.(gz|br)$/.test(name))) {
    expect(name).toMatch(/^[a-z-]+-[\w-]{8}\.(js|css|svg)$/);
    expect(
      gunzipSync(readFileSync(join(PAGE, "assets", `${name}.gz`))).equals(readFileSync(join(PAGE, "assets", name))),
    ).toBe(true);
    expect(sizeOf(`assets/${name}.br`)).toBeLessThan(sizeOf(`assets/${name}`));
  }
});

test("the page names its own files and nothing else, and has no script and no style in it", () => {
  const html = readFileSync(join(PAGE, "index.html"), "utf8");
  const named = [...html.matchAll(/(?:src|href)="([^"]*)"/g)].map(([, address]) => address);
  expect(named).toHaveLength(3);
  for (const address of named) expect(assets()).toContain(address?.replace("/assets/", ""));
  expect(html).not.toMatch(/<style|style=|\son\w+=|<script(?![^>]*\ssrc=)/);
  for (const name of assets().filter((name) => name.endsWith(".css")))
    expect(readFileSync(join(PAGE, "assets", name), "utf8")).not.toMatch(/url\((?!["']?data:)|@import/);
});
