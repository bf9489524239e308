/**
 * `npm run build`: the sources and the libraries they use → `dist/`, a few files instead of some six hundred. A short command
 * spends most of its time on finding and reading modules (bench `start-up`), so what is installed has few.
 *
 * Libraries are in it, and so are their licences (`dist/NOTICES.txt`): what was tested is what runs, and nothing else is installed.
 */
import { createHash } from "node:crypto";
import { globSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import standalone from "ajv/dist/standalone/index.js";
import { type Plugin, rolldown } from "rolldown";
import { compileDocument, compilerOfDocuments, WRITTEN_DOCUMENTS } from "../src/manifest/text/compile-documents.ts";
import { compilerFor, compileShape, SHAPES } from "../src/wire/compile-shapes.ts";
import { buildPage } from "./build-page.ts";

const standaloneCode = standalone.default;

const ROOT = fileURLToPath(new URL("../", import.meta.url));

/** What another program is started from: `bin/run.js` imports the first and names the second to oclif. */
const ENTRIES = { main: "src/commands/main.ts", table: "src/commands/table.ts" };

/** dbus-next asks for the first when a bus is found through a display, oclif for the others when commands are not compiled: never here. */
const NEVER_LOADED = ["x11", "typescript", "ts-node"];

/** Of everything that a build depends on. Hexadecimal. */
export function digestOfSources(): string {
  const digest = createHash("sha256");
  const files = globSync(
    ["src/**/*.{ts,tsx,css,html,svg}", "schemas/*.json", "package.json", "package-lock.json", "scripts/build.ts"],
    {
      cwd: ROOT,
    },
  );
  for (const file of files.sort()) digest.update(`\0${file}\0`).update(readFileSync(join(ROOT, file)));
  return digest.digest("hex");
}

/** `more`: entries of the tests' own. The folder is emptied first. */
export async function build(into: string, more: Readonly<Record<string, string>> = {}): Promise<void> {
  const modules = await bundleInto(into, { ...ENTRIES, ...more }, { cleanDir: true, minify: false });
  const checks = mkdtempSync(join(tmpdir(), "odorobo-checks-"));
  try {
    modules.push(...(await bundleInto(into, writeChecks(checks), { cleanDir: false, minify: true })));
  } finally {
    rmSync(checks, { recursive: true });
  }
  modules.push(...(await buildPage(join(into, "page"))));
  writeFileSync(join(into, "NOTICES.txt"), noticesOf(modules));
}

/**
 * The checks of what comes over the wire and of what users write, as modules of their own: compiling a schema takes longer than most
 * commands take for all else. Answers with the entries that they are.
 */
function writeChecks(folder: string): Record<string, string> {
  // What the code asks for of ajv itself is found from here.
  symlinkSync(join(ROOT, "node_modules"), join(folder, "node_modules"));
  const entries: Record<string, string> = {};
  const write = (name: string, code: string) => {
    entries[name] = join(folder, `${name}.cjs`);
    writeFileSync(entries[name], code);
  };
  for (const reading of ["strict", "tolerant"] as const) {
    const compiler = compilerFor(reading, { withSource: true });
    for (const [read, shape] of SHAPES)
      if (read === reading)
        write(`shape.${reading}.${shape}`, standaloneCode(compiler, compileShape(reading, shape, compiler)));
  }
  const compiler = compilerOfDocuments({ withSource: true });
  for (const name of WRITTEN_DOCUMENTS)
    write(`document.${name}`, standaloneCode(compiler, compileDocument(name, compiler)));
  return entries;
}

/** What is in the place of `src/manifest/text/compile-documents.ts`; each is read when it is first asked for. */
const COMPILED_DOCUMENTS: Plugin = {
  name: "compiled-documents",
  load: (id) =>
    id.endsWith("/src/manifest/text/compile-documents.ts")
      ? `import { createRequire } from "node:module";
export const compileDocument = (name) => createRequire(import.meta.url)(\`./document.\${name}.js\`).default;`
      : null,
};

/** Answers with what it is made of. `minify`: not where names of classes and functions are seen in reports of mistakes. */
async function bundleInto(
  into: string,
  input: Readonly<Record<string, string>>,
  { cleanDir, minify }: { readonly cleanDir: boolean; readonly minify: boolean },
): Promise<string[]> {
  const bundle = await rolldown({
    cwd: ROOT,
    input,
    platform: "node",
    external: NEVER_LOADED,
    plugins: [COMPILED_DOCUMENTS],
    transform: { define: { BUILT_FROM: JSON.stringify(digestOfSources()) } },
    logLevel: "warn",
  });
  try {
    const { output } = await bundle.write({
      dir: into,
      format: "esm",
      cleanDir,
      chunkFileNames: "[name]-[hash].js",
      minify,
    });
    return output.flatMap((file) => (file.type === "chunk" ? file.moduleIds : []));
  } finally {
    await bundle.close();
  }
}

/** The licence of every library that a module comes from. A library that has none stops the build. */
function noticesOf(modules: readonly string[]): string {
  const folders = new Set(modules.flatMap((id) => /^.*\/node_modules\/(?:@[^/]+\/)?[^/]+(?=\/)/.exec(id)?.[0] ?? []));
  const notices = [...folders].sort().map((folder) => {
    const { name, version, license } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
    const files = readdirSync(folder).filter((file) => /^(licen[cs]e|notice|copying)/i.test(file));
    if (license === undefined && files.length === 0) throw new Error(`${name} says no licence`);
    const texts = files.sort().map((file) => readFileSync(join(folder, file), "utf8").trim());
    return [`${name} ${version} (${license ?? "see below"})`, ...texts].join("\n\n");
  });
  return `odorobo contains these libraries.\n\n${notices.join(`\n\n${"-".repeat(80)}\n\n`)}\n`;
}

if (import.meta.main) await build(process.argv[2] ?? join(ROOT, "dist"));
