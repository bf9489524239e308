/** The page as a browser gets it: without signing in, under a strict policy, zipped ahead, and not twice. */
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { gunzipSync, gzipSync } from "node:zlib";
import { expect, test } from "vitest";
import { PageFiles } from "../../../src/gateway/service/page/page-files.ts";
import { aServedGateway } from "../../support/a-served-gateway.ts";
import { aTempFolder } from "../../support/temp-folder.ts";

const SCRIPT = "console.log(1);";

async function aBuiltPage(folder: string, words = "odorobo") {
  await mkdir(join(folder, "assets"), { recursive: true });
  await writeFile(join(folder, "assets/main-abc123.js"), SCRIPT);
  await writeFile(join(folder, "assets/main-abc123.js.gz"), gzipSync(SCRIPT));
  await writeFile(join(folder, "index.html"), `<!doctype html><title>${words}</title>`);
  await writeFile(join(folder, ".secret"), "not a page");
}

const look = (files: PageFiles, path: string, headers: Record<string, string> = {}) =>
  files.answer(new Request(`http://gateway${path}`, { headers }));

test("a gateway serves it to everybody, with the policy that keeps strangers' scripts out, and nothing else", async () => {
  await using folder = await aTempFolder();
  await using served = await aServedGateway({ parts: { pageFolder: folder.path } });
  const missing = await served.ask("/");
  expect(missing.status).toBe(503);
  expect(missing.text).toContain("npm run build");
  // It is built while the gateway runs.
  await aBuiltPage(folder.path);
  const page = await served.ask("/");
  expect(page.status).toBe(200);
  expect(page.headers.get("content-security-policy")).toBe(
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; base-uri 'none'; frame-ancestors 'none'; form-action 'self'",
  );
  expect(page.headers.get("cache-control")).toBe("no-cache");
  for (const path of ["/", "/assets/main-abc123.js", "/v1/fleets", "/v1/me", "/healthz", "/assets/none.js"]) {
    const { headers } = await served.ask(path);
    expect(headers.get("x-content-type-options"), path).toBe("nosniff");
    expect(headers.get("content-security-policy"), path).toContain("default-src 'none'");
    expect(headers.get("referrer-policy"), path).toBe("no-referrer");
    expect(headers.has("access-control-allow-origin"), path).toBe(false);
  }
  expect((await served.ask("/", null, { method: "POST", body: "x" })).status).toBe(401);
  expect((await served.ask("/index.html")).status).toBe(401);
  for (const path of ["/assets/..%2f.secret", "/assets/%2e%2e/index.html", "/assets//etc/passwd"])
    expect([400, 401, 404], path).toContain((await served.ask(path)).status);
});

test("files come zipped to who unpacks them, and are not sent again to who has them", async () => {
  await using folder = await aTempFolder();
  await aBuiltPage(folder.path);
  const files = new PageFiles(folder.path);
  const zipped = await look(files, "/assets/main-abc123.js", { "accept-encoding": "br;q=0, gzip" });
  expect(zipped.headers.get("content-encoding")).toBe("gzip");
  expect(zipped.headers.get("cache-control")).toBe("public, max-age=31536000, immutable");
  expect(gunzipSync(await zipped.arrayBuffer()).toString()).toBe(SCRIPT);
  const plain = await look(files, "/assets/main-abc123.js");
  expect(await plain.text()).toBe(SCRIPT);
  expect(plain.headers.get("etag")).not.toBe(zipped.headers.get("etag"));
  for (const etag of [plain.headers.get("etag")!, `W/${plain.headers.get("etag")}`])
    expect((await look(files, "/assets/main-abc123.js", { "if-none-match": `"x", ${etag}` })).status).toBe(304);
  expect((await look(files, "/assets/main-abc123.js.gz")).status).toBe(404);
  expect((await look(files, "/assets/.secret")).status).toBe(404);
});

test("what is built anew is served anew", async () => {
  await using folder = await aTempFolder();
  await aBuiltPage(folder.path);
  const files = new PageFiles(folder.path);
  expect(await (await look(files, "/")).text()).toContain("odorobo");
  await aBuiltPage(folder.path, "another one");
  expect(await (await look(files, "/")).text()).toContain("another one");
});
