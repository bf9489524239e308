/**
 * The whole product as a user has it: manifests in a folder, agents and the command line as processes of their own, over
 * loopback. Each test gets a world of its own, and each ends with a check that nothing of it is left.
 *
 *   systemTest("…", async ({ world }) => {
 *     const n1 = await world.agent("n1");
 *     await world.vm("web-1");
 *     expect((await world.cli("apply", world.fleet, "--yes")).code).toBe(0);
 *   });
 */

import { existsSync } from "node:fs";
import { mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { expect, test } from "vitest";
import { isErrno } from "../../src/model/errors.ts";
import { aDocument } from "./manifest-texts.ts";
import { type Outcome, type Running, startOdorobo } from "./run-odorobo.ts";
import { aSystemAgent, type SystemAgent } from "./system-agent.ts";
import { isAlive, mountsIn, processesOf, socketsOf } from "./system-leftovers.ts";
import { aTempFolder } from "./temp-folder.ts";
import { until } from "./until.ts";

export interface SystemWorld {
  readonly scratch: string;
  /** Where the manifests are. */
  readonly fleet: string;
  /** Starts it, and names its node in the manifests. */
  agent(
    name: string,
    options?: {
      readonly hypervisors?: readonly ("noop" | "qemu" | "cloud-hypervisor")[];
      readonly flags?: readonly string[];
      readonly dataFolder?: string;
    },
  ): Promise<SystemAgent>;
  /** A node that the manifests name, at any address. */
  node(name: string, address: string): Promise<void>;
  /** Says something else in the fleet's defaults than a small noop guest. `policy`: lines of YAML. */
  defaults(change: {
    readonly hypervisor?: "noop" | "qemu" | "cloud-hypervisor";
    readonly policy?: readonly string[];
  }): Promise<void>;
  write(path: string, text: string): Promise<void>;
  remove(path: string): Promise<void>;
  /** Writes `vms/NAME.yaml`. `spec`: lines of YAML below `spec:`, without their indentation. */
  vm(name: string, spec?: readonly string[], annotations?: Readonly<Record<string, string>>): Promise<void>;
  /** Runs a command to its end. It never shows a stack trace. */
  cli(...argv: string[]): Promise<Outcome>;
  /** Begins a command; the test ends it. */
  start(...argv: string[]): Running;
  /** As a user to whom permissions apply, also where the tests are run by root. */
  startUnprivileged(...argv: string[]): Running;
}

/** What a rehearsed or tiny guest needs; a VM may say otherwise. */
const aFleet = ({ hypervisor = "noop", policy = [] }: Parameters<SystemWorld["defaults"]>[0]): string => {
  const defaults = [
    "defaults:",
    `  hypervisor: ${hypervisor}`,
    "  cpus: { count: 1, max: 2 }",
    "  memory: 64MiB",
    "  boot: { kernel: 'builtin:tiny' }",
    "  shutdownGrace: 20s",
  ];
  return aDocument("Fleet", "test", [...defaults, ...policy].join("\n"));
};

/** For describe: a world is many processes, and the machine may be busy with other tests. Who is done goes on at once. */
export const PATIENT = { timeout: 900_000 };

/** Commands that give up on slow agents: on a machine busy with tests all are slow. A dead one is noticed at once. */
const ASKS_AGENTS = new Set(["plan", "apply", "status", "destroy", "diff", "vm"]);

/** Root, but one that a file's permissions hold for (util-linux, which every Debian has). */
const WITHOUT_PRIVILEGES = ["setpriv", "--bounding-set=-dac_override,-dac_read_search", "--inh-caps=-all"];

export const systemTest = test.extend("world", async ({ task }, { onCleanup }) => {
  const folder = await aTempFolder();
  const world = await openWorld(folder.path);
  onCleanup(async () => {
    const leaks = await world.close();
    await folder[Symbol.asyncDispose]();
    expect([...leaks, ...(existsSync(folder.path) ? ["its folder"] : [])], `left by "${task.name}"`).toEqual([]);
  });
  return world as SystemWorld;
});

async function openWorld(scratch: string): Promise<SystemWorld & { close(): Promise<string[]> }> {
  const fleet = join(scratch, "fleet");
  const temporary = join(scratch, "tmp");
  const agents: SystemAgent[] = [];
  const commands = new Set<Running>();
  const env = {
    ODOROBO_TEST_WORLD: scratch,
    XDG_CACHE_HOME: join(scratch, "cache"),
    XDG_STATE_HOME: join(scratch, "state"),
    TMPDIR: temporary,
    NO_COLOR: "1",
    GIT_CONFIG_GLOBAL: "/dev/null",
  };
  await mkdir(temporary, { recursive: true });
  const start = (argv: readonly string[], through: readonly string[] = []): Running => {
    const asked = ASKS_AGENTS.has(argv[0] ?? "") && !argv.includes("--timeout") ? [...argv, "--timeout=60s"] : argv;
    // No terminal, and nothing to come.
    const running = startOdorobo(asked, { env, cwd: scratch, through, input: "" });
    commands.add(running);
    void running.ended.then(() => commands.delete(running));
    return running;
  };
  const world: SystemWorld = {
    scratch,
    fleet,
    async agent(name, { hypervisors = ["noop"], flags = [], dataFolder } = {}) {
      const folder = join(scratch, name);
      await mkdir(folder);
      const offered = hypervisors.flatMap((kind) => ["--hypervisor", kind]);
      const agent = await aSystemAgent({
        name,
        folder,
        dataFolder,
        flags: [...offered, "--accelerator=tcg", "--cpus=64", "--memory=64GiB", "--log-level=error", ...flags],
        env,
      });
      agents.push(agent);
      await world.node(name, agent.url);
      return agent;
    },
    node: (name, address) => world.write(`nodes/${name}.yaml`, aDocument("Node", name, `address: ${address}`)),
    defaults: (change) => world.write("fleet.yaml", aFleet(change)),
    async write(path, text) {
      await mkdir(dirname(join(fleet, path)), { recursive: true });
      await writeFile(join(fleet, path), text);
    },
    remove: (path) => rm(join(fleet, path)),
    vm: (name, spec = [], annotations = {}) =>
      world.write(
        `vms/${name}.yaml`,
        aDocument(
          "VirtualMachine",
          name,
          spec.length === 0 ? "{}" : spec.join("\n"),
          `annotations: ${JSON.stringify(annotations)}`,
        ),
      ),
    async cli(...argv) {
      const outcome = await world.start(...argv).ended;
      expect(outcome.stdout + outcome.stderr, argv.join(" ")).not.toMatch(/\n\s+at .*[:(]/);
      return outcome;
    },
    start: (...argv) => start(argv),
    startUnprivileged: (...argv) => start(argv, process.getuid?.() === 0 ? WITHOUT_PRIVILEGES : []),
  };
  await world.defaults({});
  return { ...world, close: () => close({ scratch, temporary, agents, commands }) };
}

interface Remains {
  readonly scratch: string;
  readonly temporary: string;
  readonly agents: readonly SystemAgent[];
  readonly commands: ReadonlySet<Running>;
}

/** Ends everything, and says what should not have been there to be ended. */
async function close({ scratch, temporary, agents, commands }: Remains): Promise<string[]> {
  const leaks: string[] = [];
  for (const { child, ended } of [...commands]) {
    leaks.push(`the command ${child.spawnargs.slice(2).join(" ")}`);
    child.kill("SIGKILL");
    await ended;
  }
  for (const agent of agents) {
    if (agent.pid === null) continue;
    const { code, stderr } = await agent.stop();
    if (code !== 0) leaks.push(`the agent ${agent.name}, which ended with ${code}: ${stderr}`);
  }
  // Guests outlive their agents: each must be the one that a record names.
  const known = new Set((await Promise.all(agents.map(guestsOnRecord))).flat());
  const left = await processesOf(scratch);
  for (const { pid, command } of left) {
    if (!known.has(pid)) leaks.push(`process ${pid}, which nobody knows: ${command}`);
    kill(pid);
  }
  await until("all processes of the test are gone", () => left.every(({ pid }) => !isAlive(pid)));
  for (const { command } of await processesOf(scratch)) leaks.push(`a process that came when all was over: ${command}`);
  // The kernel closes what a killed process had open a moment after the process is gone.
  const sockets = () =>
    socketsOf(
      scratch,
      agents.map((agent) => agent.port),
    );
  await until("all sockets of the test are gone", async () => (await sockets()).length === 0, 5_000).catch(() => {});
  leaks.push(...(await sockets()), ...(await mountsIn(scratch)));
  leaks.push(...(await readdir(temporary)).map((name) => `${name} in the folder for temporary files`));
  return leaks;
}

function kill(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch (error) {
    if (!isErrno(error, "ESRCH")) throw error;
  }
}

async function guestsOnRecord(agent: SystemAgent): Promise<number[]> {
  const folder = join(agent.dataFolder, "vms");
  const names = await readdir(folder).catch(() => []);
  const records = await Promise.all(
    names.map((name) => readFile(join(folder, name, "record.json"), "utf8").catch(() => "{}")),
  );
  return records.flatMap(
    (text) => (JSON.parse(text) as { guest?: { process?: { pid: number } } }).guest?.process?.pid ?? [],
  );
}
