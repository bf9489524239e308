/**
 * The page that a gateway serves: `src/page/` and its libraries → one script, one style sheet, and the console's own script, which is
 * fetched when somebody opens a console. Names hold a digest of what is in them, so that browsers may keep them for ever; each is there
 * compressed as well, so that no gateway compresses anything while it works.
 */
import { createHash } from "node:crypto";
import { globSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { brotliCompressSync, constants, gzipSync } from "node:zlib";
import { rolldown } from "rolldown";

const ROOT = fileURLToPath(new URL("../", import.meta.url));
const PAGE = join(ROOT, "src/page");

/** Of the console: its own style sheet stands before ours, which may say otherwise. */
const FOREIGN_STYLES = ["node_modules/@xterm/xterm/css/xterm.css"];

/** `into` is emptied first. Answers with the modules that it is made of. */
export async function buildPage(into: string): Promise<string[]> {
  rmSync(into, { recursive: true, force: true });
  mkdirSync(join(into, "assets"), { recursive: true });
  const { main, modules } = await bundle(join(into, "assets"));
  const style = writeAsset(into, "page", "css", minifyStyles(readStyles()));
  const icon = writeAsset(into, "icon", "svg", readFileSync(join(PAGE, "icon.svg"), "utf8"));
  const html = readFileSync(join(PAGE, "index.html"), "utf8")
    .replace("SCRIPT", `/assets/${main}`)
    .replace("STYLE", style)
    .replace("ICON", icon);
  writeFileSync(join(into, "index.html"), html);
  for (const file of ["index.html", ...globSync("assets/*", { cwd: into })]) compress(join(into, file));
  return modules;
}

async function bundle(into: string): Promise<{ readonly main: string; readonly modules: string[] }> {
  const made = await rolldown({
    cwd: ROOT,
    input: { main: join(PAGE, "main.tsx") },
    platform: "browser",
    tsconfig: join(PAGE, "tsconfig.json"),
    transform: { target: "es2024", define: { "process.env.NODE_ENV": '"production"' } },
    logLevel: "warn",
  });
  try {
    const { output } = await made.write({
      dir: into,
      format: "esm",
      entryFileNames: "[name]-[hash].js",
      chunkFileNames: "[name]-[hash].js",
      minify: true,
    });
    const chunks = output.flatMap((file) => (file.type === "chunk" ? [file] : []));
    const main = chunks.find(({ isEntry }) => isEntry);
    if (main === undefined) throw new Error("the page has no entry");
    return { main: main.fileName, modules: chunks.flatMap(({ moduleIds }) => moduleIds) };
  } finally {
    await made.close();
  }
}

const readStyles = (): string =>
  [...FOREIGN_STYLES, ...globSync("src/page/styles/*.css", { cwd: ROOT }).sort()]
    .map((file) => readFileSync(join(ROOT, file), "utf8"))
    .join("\n");

/** Ours and xterm's have no strings with comments, line breaks or signs like these in them. */
const minifyStyles = (text: string): string =>
  text
    .replace(/\/\*[\s\S]*?\*\//g, "")
    .replace(/\s+/g, " ")
    .replace(/ ?([{};,]) ?/g, "$1")
    .replace(/;}/g, "}");

/** Answers with its path on the server. */
function writeAsset(into: string, name: string, extension: string, text: string): string {
  const digest = createHash("sha256").update(text).digest("base64url").slice(0, 8);
  const path = `/assets/${name}-${digest}.${extension}`;
  writeFileSync(join(into, path), text);
  return path;
}

function compress(file: string): void {
  const bytes = readFileSync(file);
  writeFileSync(`${file}.gz`, gzipSync(bytes, { level: 9 }));
  const params = { [constants.BROTLI_PARAM_QUALITY]: 11, [constants.BROTLI_PARAM_SIZE_HINT]: bytes.length };
  writeFileSync(`${file}.br`, brotliCompressSync(bytes, { params }));
}

if (import.meta.main) await buildPage(process.argv[2] ?? join(ROOT, "dist/page"));
