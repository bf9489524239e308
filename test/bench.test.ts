/** `npm run bench -- --quick`: every scenario still does its work, once as it is built by the bench. How fast is for the bench itself to say. */
import { execFile } from "node:child_process";
import { readdirSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { onPath } from "../bench/on-path.ts";
import { BUILT_COMMAND } from "./support/built.ts";
import { requires } from "./support/requirements.ts";
import { aTempFolder } from "./support/temp-folder.ts";

interface Row {
  readonly name: string;
  readonly unit: string;
  readonly figure: { readonly median: number; readonly runs: number } | null;
  readonly did: string;
  readonly verdict: unknown;
}

const run = promisify(execFile);
const BENCH = resolve(import.meta.dirname, "../bench/run.ts");
const INSTALLED = ["--installed", dirname(dirname(BUILT_COMMAND))];

async function bench(...args: string[]): Promise<Map<string, Row>> {
  await using folder = await aTempFolder();
  const env = { ...process.env, TMPDIR: folder.path };
  const { stdout } = await run(process.execPath, [BENCH, "--quick", "--json", ...args], { env });
  expect(readdirSync(folder.path)).toEqual([]);
  const { rows } = JSON.parse(stdout) as { rows: Row[] };
  for (const row of rows) {
    expect(row.verdict, row.name).toBe(null);
    if (row.figure !== null) expect(row.figure.median, row.name).toBeGreaterThan(0);
  }
  return new Map(rows.map((row) => [row.name, row]));
}

test("plans, comparisons and applies of small fleets do what they say, and leave nothing behind", {
  timeout: 120_000,
}, async () => {
  const rows = await bench("plan", "diff", "apply-noop", ...INSTALLED);
  expect(
    Object.fromEntries(
      [...rows].filter(([, { unit }]) => unit === "ms" || unit === "steps/s").map(([name, { did }]) => [name, did]),
    ),
  ).toEqual({
    "plan 12 cold": "12 unchanged, 0 to create, 0 steps, 2 lines",
    "plan 12 warm": "12 unchanged, 0 to create, 0 steps, 2 lines",
    "plan 60 cold": "60 unchanged, 0 to create, 0 steps, 2 lines",
    "plan 60 warm": "60 unchanged, 0 to create, 0 steps, 2 lines",
    "first plan 60": expect.stringMatching(/^0 unchanged, 60 to create, 120 steps, /),
    "odorobo plan 12":
      "the command, its agents in another process on sockets: Nothing to do: 12 VMs are as the manifests say.",
    "odorobo plan 60":
      "the command, its agents in another process on sockets: Nothing to do: 60 VMs are as the manifests say.",
    "diff 12": "12 of 12 VMs compared and unchanged",
    "diff 60": "60 of 60 VMs compared and unchanged",
    "apply 6 noop": "12 steps done, then 6 VMs unchanged; 10 agents in the process",
    "apply 20 noop": "40 steps done, then 20 VMs unchanged; 10 agents in the process",
  });
  expect([...rows.values()].filter(({ figure }) => figure === null)).toEqual([]);
});

test("a commit is measured beside the work tree, in turns", { timeout: 120_000 }, async () => {
  const rows = await bench("diff", "--against", "HEAD");
  expect([...rows.keys()].filter((name) => name.startsWith("diff 12"))).toEqual([
    "diff 12",
    "diff 12, HEAD",
    "diff 12 : HEAD",
    "diff 12 : HEAD, peak memory",
    "diff 12 → 60",
    "diff 12 → 60, HEAD",
  ]);
  expect(rows.get("diff 12, HEAD")?.did).toBe("12 of 12 VMs compared and unchanged");
  const [ours, theirs] = [rows.get("diff 12")?.figure?.median, rows.get("diff 12, HEAD")?.figure?.median];
  expect(rows.get("diff 12 : HEAD")?.figure?.median).toBeCloseTo(Number(ours) / Number(theirs), 6);
});

test("what is no commit cannot be compared with, and is said", async () => {
  await using folder = await aTempFolder();
  const env = { ...process.env, TMPDIR: folder.path };
  const refused = await run(process.execPath, [BENCH, "diff", "--against", "no-such-thing"], { env }).catch((e) => e);
  expect(refused).toMatchObject({ code: 1, stderr: expect.stringContaining("no-such-thing is no commit") });
  expect(readdirSync(folder.path)).toEqual([]);
});

test("the command answers from a checkout and as it is installed", { timeout: 120_000 }, async () => {
  const rows = await bench("start-up");
  expect([...rows.keys()]).toEqual([
    "bin/dev.js --version",
    "bin/dev.js --help",
    "bin/run.js --version",
    "bin/run.js --help",
  ]);
  expect(rows.get("bin/run.js --version")?.did).toMatch(/^wrote odorobo\/\d+\.\d+\.\d+ /);
  expect(rows.get("bin/dev.js --help")?.did).toBe(rows.get("bin/run.js --help")?.did);
});

test.runIf(requires("the bench of real guests", "qemu-system-x86_64"))(
  "guests count, ours and the bare loop's",
  { timeout: 120_000 },
  async () => {
    const rows = await bench("apply-qemu");
    expect(rows.get("apply 3 QEMU")?.did).toBe("6 steps done, 3 guests count");
    expect(rows.get("bare loop, 3 QEMU")?.did).toBe("3 guests count");
  },
);

test.runIf(requires("the bench of moves", "qemu-system-x86_64"))(
  "a guest moves, through agents and by hand, and plans say beforehand how long it takes",
  { timeout: 240_000 },
  async () => {
    const rows = await bench("migrate", ...INSTALLED);
    for (const name of ["odorobo vm migrate, in all", "bare QMP, in all", "odorobo vm migrate : bare QMP"])
      expect(rows.get(name)?.figure?.median, name).toBeGreaterThan(0);
    expect(rows.get("a move's time, off by")?.did).toMatch(/after three moves \(measured\)$/);
  },
);

test.runIf(onPath("terraform", "tofu"))(
  "terraform has as many objects and nothing to change, either",
  { timeout: 120_000 },
  async () => {
    const rows = [...(await bench("terraform")).values()];
    expect(rows.map(({ did }) => did)).toEqual(
      [12, 60].flatMap((vms) => [
        expect.stringMatching(`^${vms} terraform_data objects: No changes\\.`),
        expect.stringMatching(`^${vms} unchanged, 0 to create`),
        "each pair in turns",
      ]),
    );
  },
);

test("what is not there is not measured, and said so", { timeout: 120_000 }, async () => {
  const { stdout } = await run(process.execPath, [BENCH, "--quick", "apply-qemu", "terraform"], {
    env: { PATH: "/nonexistent" },
  });
  expect(stdout).toContain("QEMU is not installed: apt-get install qemu-system-x86");
  expect(stdout).toContain("neither terraform nor tofu is on the PATH");
});

test("a scenario that there is not is refused with the list of those there are", async () => {
  const refused = await run(process.execPath, [BENCH, "palns"]).catch((error) => error);
  expect(refused).toMatchObject({
    code: 1,
    stderr: expect.stringMatching(/no scenario palns; there are:\n {2}start-up/),
  });
});

test("cut short, it cleans up", { timeout: 60_000 }, async () => {
  await using folder = await aTempFolder();
  const child = execFile(process.execPath, [BENCH, "--quick", "plan"], {
    env: { ...process.env, TMPDIR: folder.path },
  });
  const ended = new Promise((done) => child.once("exit", done));
  for await (const text of child.stderr!) if (String(text).includes("plan of 12")) break;
  expect(readdirSync(folder.path)).toEqual([expect.stringMatching(/^odb-/)]);
  child.kill("SIGTERM");
  expect(await ended).toBe(130);
  expect(readdirSync(folder.path)).toEqual([]);
});

test("fleets of every family are placed and put in order, and their plans are kept where they are asked for", {
  timeout: 120_000,
}, async () => {
  await using kept = await aTempFolder();
  const rows = await bench("schedule", "--out", kept.path);
  expect(rows.get("drain 10/100")?.did).toMatch(/^CPU time; \d+ moves, [\d.]+ GiB$/);
  expect(rows.get("swap 10/100")?.did).toMatch(/ parked$/);
  expect(readdirSync(kept.path).filter((name) => name.endsWith(".plan.json"))).toHaveLength(6);
});

test("a gateway plans after events and pushes, applies what is pushed, and holds what it holds", {
  timeout: 240_000,
}, async () => {
  const rows = await bench("gateway", ...INSTALLED);
  const did = (name: string) => rows.get(name)?.did;
  expect(did("20 VMs changed → reconciled")).toBe("20 acts until the revision is applied");
  expect(did("a push → the first act")).toBe("one VM's weight is another");
  expect(did("an event → plan, 12")).toMatch(/^a guest has drifted/);
  expect(did("a push → plan, 12")).toBe("one manifest is another: 1 steps");
  expect(did("a cold plan, 12, in turns")).toMatch(/^11 unchanged, 0 to create, 1 steps/);
  expect(did("a storm's last push is applied after")).toMatch(/^200 webhooks a second for 2 s .+ \d commits planned$/);
  expect(did("gateway, 60, 4 revisions")).toMatch(/MB more than at the mark before$/);
  expect([...rows.values()].filter(({ figure }) => figure === null)).toEqual([]);
});
