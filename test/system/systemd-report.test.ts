/**
 * An agent that `odorobo agent install` set up, with a fleet of Cloud Hypervisor guests (the double) and of QEMU guests: it is
 * killed and started again, and its first word is right; a guest of each is killed, and told. How soon is measured in `bench/`.
 */
import { mkdir, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { NodeReport, VmReport } from "../../src/model/observed-state.ts";
import { BUILT_COMMAND } from "../support/built.ts";
import { requires } from "../support/requirements.ts";
import { odorobo } from "../support/run-odorobo.ts";
import { aSystem, NODE_INSIDE, requiresSystem, type System } from "../support/systemd.ts";
import { until } from "../support/until.ts";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));
/** Guards against hanging only. */
const PATIENCE = 120_000;
const GUESTS = ["web-1", "web-2", "web-3", "db-1", "db-2", "db-3"] as const;
const unitOf = (name: string) => `odorobo-${name.startsWith("web") ? "ch" : "qemu"}@${name}.service`;

const isHere =
  requiresSystem("whether an installed agent knows what became of its guests") &&
  requires("whether an installed agent knows what became of guests on QEMU", "qemu-system-x86_64", "systemd-sysusers");

describe.runIf(isHere)("an installed agent reports rightly", { timeout: PATIENCE }, () => {
  let system: System;
  let port: number;
  beforeAll(async () => {
    system = await aSystem();
    port = await aFreePort();
  }, PATIENCE);
  afterAll(() => system?.[Symbol.asyncDispose](), PATIENCE);

  const inside = (...args: string[]) => system.run(process.execPath, BUILT_COMMAND, ...args);
  const report = async (): Promise<NodeReport | null> =>
    (await fetch(`http://127.0.0.1:${port}/v1/report`)
      .then((answer) => answer.json())
      .catch(() => null)) as NodeReport | null;
  const pidOf = async (unit: string) => Number(await system.run("systemctl", "show", "--value", "-p", "MainPID", unit));

  const becomesRight = (what: string, isRight: (now: NodeReport) => boolean): Promise<void> =>
    until(
      what,
      async () => {
        const now = await report();
        return now !== null && isRight(now);
      },
      PATIENCE,
    );

  const asApplied = (pids: ReadonlyMap<string, number>) => (now: NodeReport) =>
    now.unfinished.length === 0 &&
    now.vms.length === GUESTS.length &&
    now.vms.every((vm) => vm.phase === "running" && vm.pid === pids.get(vm.name) && vm.drift.length === 0);
  const pidsOf = async () =>
    new Map(await Promise.all(GUESTS.map(async (name) => [name, await pidOf(unitOf(name))] as const)));

  test("after an apply", async () => {
    const double = join(ROOT, "test/support/cloud-hypervisor-double/install.ts");
    await system.run("mkdir", "-p", "/usr/local/lib/double");
    await system.run(
      ...[process.execPath, "--input-type=module", "-e"],
      `(await import("${double}")).installDouble("/usr/local/lib/double", { node: "${NODE_INSIDE}" })`,
    );
    await inside(
      ...["agent", "install", "--name", "n1", "--listen", `127.0.0.1:${port}`, "--accelerator", "tcg"],
      ...["--hypervisor", "cloud-hypervisor", "--hypervisor", "qemu"],
      ...["--cloud-hypervisor", "/usr/local/lib/double/cloud-hypervisor"],
    );
    const fleet = join(system.shared, "fleet");
    await mkdir(fleet);
    await writeFile(
      join(fleet, "fleet.yaml"),
      [
        "apiVersion: odorobo.dev/v1\nkind: Fleet\nmetadata: { name: test }",
        `apiVersion: odorobo.dev/v1\nkind: Node\nmetadata: { name: n1 }\nspec: { address: "http://127.0.0.1:${port}" }`,
        ...GUESTS.map((name) => {
          const [hypervisor, memory] = name.startsWith("web") ? ["cloud-hypervisor", "128MiB"] : ["qemu", "32MiB"];
          const spec = `{ hypervisor: ${hypervisor}, memory: ${memory}, boot: { kernel: "builtin:tiny" } }`;
          return `apiVersion: odorobo.dev/v1\nkind: VirtualMachine\nmetadata: { name: ${name} }\nspec: ${spec}`;
        }),
      ].join("\n---\n"),
    );
    const applied = await odorobo("apply", fleet, "--yes");
    expect(applied, applied.stderr + applied.stdout).toMatchObject({ code: 0 });
    await becomesRight("all of the fleet runs", asApplied(await pidsOf()));
  });

  test("after the agent was killed and started again", async () => {
    const pids = await pidsOf();
    await system.run("systemctl", "kill", "--signal=KILL", "--kill-whom=main", "odorobo-agent.service");
    await until("it is dead", async () => (await report()) === null, PATIENCE);
    await system.run("systemctl", "restart", "odorobo-agent.service");
    const answers: NodeReport[] = [];
    await until(
      "it answers",
      async () => answers.push(...[await report()].filter((each) => each !== null)) > 0,
      PATIENCE,
    );
    expect(answers[0], "its first word").toSatisfy(asApplied(pids));
    expect(await pidsOf()).toEqual(pids);
  });

  test.each(["web-2", "db-2"] as const)("after %s was killed", async (victim) => {
    const pids = await pidsOf();
    const find = ({ vms }: NodeReport): VmReport | undefined => vms.find(({ name }) => name === victim);
    await system.run("systemctl", "kill", "--signal=KILL", "--kill-whom=main", unitOf(victim));
    await becomesRight("it is told", (now) => {
      const vm = find(now);
      return vm?.lastEvent?.kind === "crash" && vm.lastEvent.message.includes("SIGKILL");
    });
    const isBack = async () => {
      const vm = find((await report()) as NodeReport);
      return vm?.phase === "running" && vm.pid !== pids.get(victim);
    };
    await until("it is started again", isBack, PATIENCE);
    const now = await pidsOf();
    expect([...now].filter(([name, pid]) => pids.get(name) !== pid).map(([name]) => name)).toEqual([victim]);
    await becomesRight("all of the fleet runs again", asApplied(now));
  });
});

async function aFreePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}
