/**
 * The map of the house, and the test that it is true: which folder may import which.
 * Arrows point to nouns; agent and gateway meet only in wire; the pure core imports no node: module and reads no clock.
 */
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { expect, test } from "vitest";

/** What the rooms of the lifecycle may know of the rest of the agent, all of them. */
const LIFECYCLE = [
  "model",
  "platform",
  "wire",
  "agent",
  "agent/hypervisor",
  "agent/supervisor",
  "agent/store",
  "agent/storage",
  "agent/images",
  "agent/network",
  "agent/hooks",
  "agent/console",
];
const HTTP = ["model", "platform", "wire", "agent", "agent/lifecycle", "agent/console"];
const MANIFEST = ["manifest", "manifest/text", "manifest/vm", "manifest/gateway"];
const below = (house: string, ...rooms: readonly string[]): string[] => rooms.map((room) => `${house}/${room}`);

/** Folder → folders it may import. The longest matching key names a file's folder. Nothing else is allowed. */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  model: [],
  manifest: ["model", "manifest/text", "manifest/vm"],
  "manifest/vm": ["model", "manifest/text"],
  "manifest/text": ["model"],
  "manifest/gateway": ["model", "manifest/text", "manifest/vm"],
  import: ["model", "report/words", "import/xml", "import/libvirt"],
  "import/libvirt": ["model", "import", "import/xml"],
  "import/xml": [],
  reconcile: ["model"],
  placement: ["model", "reconcile", "placement/engine"],
  "placement/engine": ["model"],
  schedule: ["model", "reconcile", "placement", "placement/engine"],
  plan: ["model", "reconcile", "placement", "schedule"],
  "what-if": ["model", "reconcile", "placement", "schedule", "plan"],
  report: [
    "model",
    "schedule",
    "plan",
    "what-if",
    "apply",
    "run",
    "manifest",
    "manifest/text",
    "wire",
    "report/plan",
    "report/words",
  ],
  "report/plan": ["model", "schedule", "plan", "report/words"],
  "report/what-if": ["model", "placement", "schedule", "plan", "what-if", "report/plan", "report/words"],
  "report/watch": ["model", "report", "report/words"],
  "report/gateway": ["model", "plan", "report", "report/words"],
  "report/words": ["model"],
  /** Of what touches the world only types, and what of the wire is pure: the console's frames. */
  page: ["model", "schedule", "plan", "apply", "run", "report", ...below("report", "plan", "gateway", "words"), "wire"],
  run: ["model", "schedule", "plan", "apply", "wire"],
  etcd: ["model"],
  "run-store": ["model", "plan", "apply", "run", "platform"],
  "run-store/etcd": ["model", "plan", "apply", "run", "platform", "etcd", "run-store"],
  platform: ["model"],
  wire: ["model", "platform"],
  source: ["model", ...MANIFEST, "platform", "source/git"],
  "source/git": ["model", "platform"],
  observe: ["model", "wire", "platform"],
  apply: ["model", "schedule", "plan", "wire", "platform"],
  turn: [
    "model",
    "import",
    ...MANIFEST,
    "source",
    "source/git",
    "observe",
    "reconcile",
    "schedule",
    "plan",
    "what-if",
    "apply",
    "run",
    "report",
    "report/plan",
    "report/what-if",
    "report/words",
    "wire",
    "platform",
  ],
  "turn/runs": [
    "model",
    ...MANIFEST,
    "source/git",
    "observe",
    "plan",
    "apply",
    "run",
    "report",
    "report/words",
    "wire",
    "platform",
    "turn",
  ],
  "turn/what-if": [
    "model",
    ...MANIFEST,
    "source",
    "observe",
    "reconcile",
    "schedule",
    "plan",
    "what-if",
    "apply",
    "report",
    "report/what-if",
    "report/words",
    "wire",
    "platform",
    "turn",
  ],
  /** Of a process that plans again and again. */
  "turn/held": ["model", ...MANIFEST, "source", "observe", "plan", "wire", "platform", "turn"],
  simulate: ["model", "reconcile", "schedule", "plan", "apply", "wire", "platform", "agent", "report/what-if"],
  "gateway/revision": ["model", "plan"],
  "gateway/loop": [
    "model",
    "plan",
    "apply",
    "run",
    "turn",
    "turn/held",
    "turn/runs",
    "wire",
    "platform",
    "gateway/revision",
  ],
  "gateway/sources": ["model", "manifest/vm", "source", "turn", "platform", ...below("gateway", "revision", "loop")],
  "gateway/cluster": [
    "model",
    "run",
    "run-store/etcd",
    "etcd",
    "turn",
    "turn/held",
    "turn/runs",
    "wire",
    "platform",
    ...below("gateway", "revision", "loop"),
  ],
  "gateway/hooks": ["model", "platform"],
  "gateway/forge": [
    "model",
    "plan",
    "report",
    ...below("report", "plan", "words"),
    "source",
    "turn",
    "platform",
    ...below("gateway", "revision", "loop", "sources", "hooks"),
  ],
  "gateway/notify": ["model", "plan", "turn", "platform", "report/words", ...below("gateway", "revision", "loop")],
  "gateway/metrics": ["model", "plan", "apply", "turn", "platform", ...below("gateway", "revision", "loop", "hooks")],
  "gateway/service": [
    "model",
    "etcd",
    ...MANIFEST,
    "source",
    "source/git",
    "plan",
    "apply",
    "run",
    "report",
    ...below("report", "plan", "watch", "gateway", "words"),
    "turn",
    "turn/runs",
    "wire",
    "platform",
    ...below("gateway", "revision", "loop", "cluster", "sources", "hooks", "forge", "notify", "metrics"),
  ],
  doctor: ["model", "platform"],
  agent: [
    "model",
    "platform",
    "doctor",
    "wire",
    "agent/http",
    "agent/http/door",
    "agent/http/audit",
    "agent/lifecycle",
    "agent/hypervisor",
    "agent/supervisor",
    "agent/inventory",
    "agent/store",
    "agent/storage",
    "agent/network",
    "agent/hooks",
    "agent/console",
    "agent/metrics",
    "agent/install",
    "agent/rehearsal",
  ],
  "agent/rehearsal": [
    "model",
    "platform",
    "wire",
    "agent/lifecycle/operations",
    "agent/lifecycle/parts",
    "agent/store",
    "agent/hypervisor",
  ],
  "agent/http": [...HTTP, ...below("agent/http", "door", "audit", "calls", "compat", "routes", "console")],
  "agent/http/console": [...HTTP, ...below("agent/http", "door", "compat")],
  "agent/http/routes": [...HTTP, ...below("agent/http", "calls", "compat")],
  "agent/http/compat": [...HTTP, ...below("agent/http", "calls")],
  "agent/http/calls": [...HTTP, ...below("agent/http", "door", "audit")],
  "agent/http/audit": [...HTTP, ...below("agent/http", "door")],
  "agent/http/door": HTTP,
  "agent/console": ["model", "platform", "agent"],
  "agent/lifecycle": [
    ...LIFECYCLE,
    ...below("agent/lifecycle", "parts", "report", "operations", "guest", "acts", "migration", "recovery"),
  ],
  "agent/lifecycle/recovery": [
    ...LIFECYCLE,
    ...below("agent/lifecycle", "parts", "report", "operations", "guest", "acts", "migration"),
  ],
  "agent/lifecycle/migration": [
    ...LIFECYCLE,
    ...below("agent/lifecycle", "parts", "report", "operations", "guest", "acts"),
  ],
  "agent/lifecycle/acts": [...LIFECYCLE, ...below("agent/lifecycle", "parts", "report", "operations", "guest")],
  "agent/lifecycle/guest": [...LIFECYCLE, ...below("agent/lifecycle", "parts", "report", "operations")],
  "agent/lifecycle/operations": [...LIFECYCLE, ...below("agent/lifecycle", "parts", "report")],
  "agent/lifecycle/report": [...LIFECYCLE, ...below("agent/lifecycle", "parts")],
  "agent/lifecycle/parts": LIFECYCLE,
  "agent/hooks": ["model", "platform"],
  "agent/metrics": ["model", "platform", "wire", "agent"],
  "agent/hypervisor": ["model", "platform", "agent", "agent/storage", "agent/network"],
  "agent/supervisor": ["model", "platform", "agent"],
  "agent/install": ["model", "platform", "agent/hooks", "agent/supervisor"],
  "agent/inventory": ["model", "platform"],
  "agent/store": ["model", "platform", "wire", "agent", "agent/supervisor", "agent/storage"],
  "agent/storage": ["model", "platform", "agent"],
  "agent/images": ["model", "platform", "agent", "agent/storage"],
  "agent/network": ["model", "platform", "agent", "agent/supervisor"],
  commands: [
    "model",
    "import",
    ...MANIFEST,
    "source",
    "observe",
    "reconcile",
    "plan",
    "what-if",
    "apply",
    "run",
    "run-store",
    "turn",
    ...below("turn", "runs", "what-if"),
    "simulate",
    ...below("gateway", "revision", "loop", "sources", "hooks", "service"),
    "report",
    "report/plan",
    "report/watch",
    "report/gateway",
    "report/what-if",
    "report/words",
    "wire",
    "platform",
    "agent",
    "demo",
    "doctor",
  ],
  demo: ["model", "turn", "report", "report/words", "report/plan", "wire", "platform", "apply", "plan", "agent"],
};

/** Of `agent`, only the files at its top may be imported from inside it, and only these from outside. */
const AGENT_DOORS = [
  "agent/main.ts",
  "agent/config.ts",
  "agent/in-process.ts",
  "agent/doctor.ts",
  "agent/edit-access-file.ts",
  "agent/install-agent.ts",
  "agent/install-gateway.ts",
  "agent/rehearse.ts",
];

const PURE = [
  "model",
  "manifest",
  "import",
  "reconcile",
  "placement",
  "schedule",
  "plan",
  "what-if",
  "run",
  "report",
  "gateway/revision",
];
const isPure = (folder: string): boolean => PURE.includes(folder) || PURE.includes(folder.split("/")[0] as string);
const IMPURE_CALLS =
  /\b(?:(?:Date\.now|new Date\(\)|Math\.random|performance\.now|process\.|setTimeout|setInterval)\b|fetch\()/;

const SRC = resolve(import.meta.dirname, "../src");
const FOLDERS = Object.keys(MAY_IMPORT).sort((a, b) => b.length - a.length);
const folderOf = (path: string): string =>
  FOLDERS.find((folder) => path.startsWith(`${folder}/`)) ?? `nowhere (${path})`;

interface Import {
  readonly from: string;
  readonly to: string;
}

function findImports(path: string, text: string): Import[] {
  const specifiers = [
    ...text.matchAll(
      /(?:^|\n)\s*(?:import|export)\b[^"';]*?from\s*["']([^"']+)["']|\bimport\(\s*["']([^"']+)["']\s*\)|(?:^|\n)import\s+["']([^"']+)["']/g,
    ),
  ];
  return specifiers.map((match) => {
    const specifier = match[1] ?? match[2] ?? match[3] ?? "";
    return {
      from: path,
      to: specifier.startsWith(".") ? relative(SRC, resolve(SRC, dirname(path), specifier)) : specifier,
    };
  });
}

/** What is wrong with one import, or null. */
function complaint({ from, to }: Import): string | null {
  const folder = folderOf(from);
  if (to.startsWith("node:")) return isPure(folder) ? `${from} is pure and imports ${to}` : null;
  if (to.startsWith("../schemas/")) return null;
  if (/^[@a-z]/.test(to) && !/\.tsx?$/.test(to)) return null;
  const target = folderOf(to);
  if (target === folder) return null;
  if (!MAY_IMPORT[folder]?.includes(target)) return `${from} may not import ${to}`;
  const isForeign = target === "agent" && !folder.startsWith("agent");
  return isForeign && !AGENT_DOORS.includes(to) ? `${from} goes around the agent's door to ${to}` : null;
}

const files = readdirSync(SRC, { recursive: true, encoding: "utf8" }).filter((path) => /\.tsx?$/.test(path));
const texts = new Map(files.map((path) => [path, readFileSync(join(SRC, path), "utf8")]));
const imports = [...texts].flatMap(([path, text]) => findImports(path, text));

test("every import is allowed by the table", () => {
  expect(imports.map(complaint).filter((each) => each !== null)).toEqual([]);
});

test("no file imports itself, by whatever detour, types included", () => {
  expect(findCircles(imports)).toEqual([]);
  expect(
    findCircles([
      { from: "a.ts", to: "b.ts" },
      { from: "b.ts", to: "c.ts" },
      { from: "c.ts", to: "b.ts" },
    ]),
  ).toEqual(["b.ts → c.ts → b.ts"]);
});

test("the test sees the imports it is about", () => {
  expect(files.length).toBeGreaterThan(60);
  expect(imports.length).toBeGreaterThan(300);
  const planted = (from: string, text: string) => findImports(from, text).map(complaint);
  expect(planted("reconcile/x.ts", 'import { a } from "../wire/routes.ts";')).toEqual([
    "reconcile/x.ts may not import wire/routes.ts",
  ]);
  expect(planted("model/x.ts", 'import type { A } from "../reconcile/step.ts";')).toEqual([
    "model/x.ts may not import reconcile/step.ts",
  ]);
  expect(planted("manifest/x.ts", 'import {\n  readFile,\n} from "node:fs/promises";')).toEqual([
    "manifest/x.ts is pure and imports node:fs/promises",
  ]);
  expect(planted("commands/x.ts", 'const a = await import("../agent/lifecycle/service.ts");')).toEqual([
    "commands/x.ts may not import agent/lifecycle/service.ts",
  ]);
  expect(planted("turn/x.ts", 'export { a } from "../agent/main.ts";')).toEqual([
    "turn/x.ts may not import agent/main.ts",
  ]);
  expect(planted("agent/hypervisor/noop/x.ts", 'import { a } from "../../supervisor/supervisor.ts";')).toEqual([
    "agent/hypervisor/noop/x.ts may not import agent/supervisor/supervisor.ts",
  ]);
});

test("the pure core reads no clock, no chance and no environment", () => {
  const guilty = [...texts].filter(
    ([path, text]) => isPure(folderOf(path)) && IMPURE_CALLS.test(withoutComments(text)),
  );
  expect(guilty.map(([path]) => path)).toEqual([]);
  expect(IMPURE_CALLS.test("const now = Date.now();")).toBe(true);
});

test("a foreign system appears in its own place only", () => {
  const HOMES: Readonly<Record<string, RegExp>> = {
    undici: /^(wire|agent\/hypervisor\/cloud-hypervisor|agent\/images)\//,
    "simple-git": /^source\//,
    yaml: /^(manifest|import)\//,
    saxes: /^import\/xml\//,
    "@oclif/core": /^commands\//,
    chokidar: /^source\//,
    ws: /^(wire|agent\/http|gateway\/service\/guests)\//,
    "openid-client": /^gateway\/service\/oidc\//,
    pino: /^platform\//,
    "prom-client": /^(platform|agent\/metrics|gateway\/metrics)\//,
    "tar-stream": /^doctor\//,
    "dbus-next": /^agent\/supervisor\/systemd\//,
    preact: /^page\//,
    "preact/hooks": /^page\//,
    "@preact/signals": /^page\//,
    "@xterm/xterm": /^page\/console\//,
    "@xterm/addon-fit": /^page\/console\//,
  };
  const strays = imports.filter(({ from, to }) => HOMES[to] !== undefined && !HOMES[to]?.test(from));
  expect(strays).toEqual([]);
});

/** Each circle once, as the way around it. */
function findCircles(all: readonly Import[]): string[] {
  const targets = Map.groupBy(all, ({ from }) => from);
  const finished = new Set<string>();
  const circles: string[] = [];
  const visit = (file: string, way: readonly string[]): void => {
    const start = way.indexOf(file);
    if (start >= 0) circles.push([...way.slice(start), file].join(" → "));
    if (start >= 0 || finished.has(file)) return;
    for (const { to } of targets.get(file) ?? []) visit(to, [...way, file]);
    finished.add(file);
  };
  for (const file of targets.keys()) visit(file, []);
  return circles;
}

function withoutComments(text: string): string {
  return text.replace(/\/\*[\s\S]*?\*\//g, "").replace(/(^|\s)\/\/.*$/gm, "");
}
