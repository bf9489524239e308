/** Real programs in real folders: what they are told, in which order, and what their failures mean. */
import { chmod, chown, mkdir, readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { createHooks, type HookSubject, type Hooks } from "../../../src/agent/hooks/hooks.ts";
import { vmName } from "../../../src/model/names.ts";
import { aSpec, NEVER } from "../../support/an-agent.ts";
import { aTempFolder } from "../../support/temp-folder.ts";
import { until } from "../../support/until.ts";

const DIGEST = "d".repeat(64) as never;
const SUBJECT: HookSubject = {
  node: "n1",
  vm: {
    name: vmName("web-1"),
    fleet: "shop",
    generation: 3,
    phase: "stopped",
    spec: aSpec({ cloudInit: { userData: DIGEST, networkConfig: null, sshKeys: [] } }),
  },
  operation: { id: "b1", kind: "boot" },
};

interface World extends AsyncDisposable {
  readonly hooks: Hooks;
  readonly folder: string;
  readonly logged: string[];
  /** A program in `before-boot.d`. `$OUT` in its text is a file to write to. */
  add(name: string, script: string, mode?: number): Promise<string>;
  out(): Promise<string>;
}

async function aWorld(deadlineMs = 20_000): Promise<World> {
  const temp = await aTempFolder();
  const folder = join(temp.path, "before-boot.d");
  const file = join(temp.path, "out");
  await mkdir(folder, { mode: 0o755 });
  const logged: string[] = [];
  const note = (_: object, message: string) => void logged.push(message);
  const logger = { debug: note, info: note, warn: note, error: note };
  return {
    hooks: createHooks({ folder: temp.path, logger, deadlineMs }),
    folder,
    logged,
    async add(name, script, mode = 0o755) {
      const path = join(folder, name);
      await writeFile(path, `#!/bin/sh\n${script.replaceAll("$OUT", file)}\n`);
      await chmod(path, mode);
      return path;
    },
    out: () => readFile(file, "utf8").catch(() => ""),
    [Symbol.asyncDispose]: () => temp[Symbol.asyncDispose](),
  };
}

const run = ({ hooks }: World, signal = NEVER) => hooks.run("before-boot", SUBJECT, signal);

test("hooks run one after another in the order of their names, and what they say is in the log", async () => {
  await using world = await aWorld();
  await world.add("20-second", 'echo second >> "$OUT"; echo from the second >&2');
  await world.add("10-first", 'echo first >> "$OUT"; echo from the first');
  await world.add(".hidden", 'echo hidden >> "$OUT"');
  await run(world);
  expect(await world.out()).toBe("first\nsecond\n");
  expect(world.logged).toEqual(["from the first", "from the second"]);
  await world.hooks.run("after-boot", SUBJECT, NEVER);
});

test("a hook is told the VM and the operation as JSON, and nothing that is secret", async () => {
  await using world = await aWorld();
  await world.add("10", 'cat > "$OUT"; env >> "$OUT"');
  process.env.ODOROBO_TEST_SECRET = "hunter2";
  try {
    await run(world);
  } finally {
    delete process.env.ODOROBO_TEST_SECRET;
  }
  const out = await world.out();
  const end = out.lastIndexOf("}") + 1;
  expect(JSON.parse(out.slice(0, end))).toMatchObject({
    point: "before-boot",
    node: "n1",
    vm: { name: "web-1", fleet: "shop", generation: 3, spec: { cpus: { count: 1 } } },
    operation: { id: "b1", kind: "boot" },
  });
  expect(out).not.toContain(DIGEST);
  expect(out).not.toContain("cloudInit");
  const names = out
    .slice(end)
    .trim()
    .split("\n")
    .map((line) => line.split("=")[0]);
  expect(names.filter((name) => !["PWD", "_", "SHLVL", "OLDPWD"].includes(name as string)).sort()).toEqual([
    "LANG",
    "ODOROBO_HOOK",
    "ODOROBO_VM",
    "PATH",
  ]);
});

test("the first that fails ends it, and its last words are in the error", async () => {
  await using world = await aWorld();
  const path = await world.add("10-no", 'echo "volume is in use" >&2; exit 3');
  await world.add("20-never", 'echo ran >> "$OUT"');
  await expect(run(world)).rejects.toMatchObject({
    code: "HOOK_FAILED",
    message: `hook ${path} ended with status 3: volume is in use`,
  });
  expect(await world.out()).toBe("");
});

test("what must not be run is not, and the error says why", async () => {
  for (const [mode, why] of [
    [0o644, "it is not executable"],
    [0o757, "everybody may write to it"],
  ] as const) {
    await using world = await aWorld();
    const path = await world.add("10", 'echo ran >> "$OUT"', mode);
    await expect(run(world)).rejects.toMatchObject({ message: `hook ${path} is not run: ${why}` });
    expect(await world.out()).toBe("");
  }
  await using open = await aWorld();
  await open.add("10", 'echo ran >> "$OUT"');
  await chmod(open.folder, 0o777);
  await expect(run(open)).rejects.toMatchObject({ code: "HOOK_FAILED", hint: `chmod o-w ${open.folder}` });
  if (process.geteuid?.() === 0) {
    await using theirs = await aWorld();
    await chown(await theirs.add("10", 'echo ran >> "$OUT"'), 64_321, 0);
    await expect(run(theirs)).rejects.toMatchObject({ message: expect.stringContaining("user 64321, whose it is") });
    // Whoever may write to the folder above can put one of their own in its place.
    await chown(theirs.folder, 64_321, 0);
    await expect(run(theirs)).rejects.toMatchObject({ code: "HOOK_FAILED", hint: `chown 0 ${theirs.folder}` });
    expect(await theirs.out()).toBe("");
  }
  await using nested = await aWorld();
  await mkdir(join(nested.folder, "folder"));
  await expect(run(nested)).rejects.toMatchObject({ message: expect.stringContaining("it is not a file") });
});

test("a program without an interpreter is named, not a mystery", async () => {
  await using world = await aWorld();
  const path = join(world.folder, "10");
  await writeFile(path, "#!/nowhere/sh\n");
  await chmod(path, 0o755);
  await expect(run(world)).rejects.toMatchObject({ message: expect.stringContaining("could not be started") });
});

test("one that takes too long is killed, with all that it started", async () => {
  await using world = await aWorld(200);
  await world.add("10-slow", 'sleep 300 & echo $! > "$OUT"; wait');
  await expect(run(world)).rejects.toMatchObject({ message: expect.stringContaining("did not end within 0.2 s") });
  const child = Number(await world.out());
  expect(child).toBeGreaterThan(0);
  await until("its child is gone", () => isGone(child));
});

test("an agent that stops waits for none of them", async () => {
  await using world = await aWorld();
  await world.add("10-slow", 'echo $$ > "$OUT"; exec sleep 300');
  const stop = new AbortController();
  const running = run(world, stop.signal);
  await until("it runs", async () => (await world.out()) !== "");
  stop.abort(new Error("the agent stops"));
  await expect(running).rejects.toThrow("the agent stops");
  await until("it is gone", async () => isGone(Number(await world.out())));
});

test("what a hook leaves in the background holds nobody up", async () => {
  await using world = await aWorld();
  await world.add("10", 'sleep 300 & echo $! > "$OUT"');
  await run(world);
  const left = Number(await world.out());
  expect(await isGone(left)).toBe(false);
  process.kill(left, "SIGKILL");
});

test("a flood of output and unread input are no trouble", async () => {
  await using world = await aWorld();
  await world.add("10", 'i=0; while [ $i -lt 20000 ]; do echo "line $i of a flood of words"; i=$((i+1)); done');
  await run(world);
  expect(world.logged.length).toBeLessThanOrEqual(200);
  expect(world.logged.at(-1)).toBe("line 19999 of a flood of words");
});

/** Zombies count: who collects them is not this test's business. */
async function isGone(pid: number): Promise<boolean> {
  const text = await readFile(`/proc/${pid}/stat`, "utf8").catch(() => "");
  if (text === "") return (await stat("/proc/self")).isDirectory();
  return /\) [ZX] /.test(text);
}
