/**
 * Two agents in processes of their own, a link between them that can be cut or made to swallow what is sent, and guests that count aloud. For tests of
 * what is left where when something breaks in the middle of a move.
 */
import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { connect, createServer, type Socket } from "node:net";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { OdoroboError } from "../../src/model/errors.ts";
import { nodeName, type VmName, vmName } from "../../src/model/names.ts";
import type { VmReport } from "../../src/model/observed-state.ts";
import type { Disk, VmSpec } from "../../src/model/vm-spec.ts";
import { type AgentClient, connectAgent } from "../../src/wire/client.ts";
import { makeTicket, moveGuest } from "../../src/wire/move-guest.ts";
import type { OperationResult } from "../../src/wire/operations.ts";
import { aSpec, NEVER } from "./an-agent.ts";
import { builtProgram } from "./built.ts";
import { installDouble } from "./cloud-hypervisor-double/install.ts";
import { aTempFolder } from "./temp-folder.ts";
import { until } from "./until.ts";
import { aPut } from "./wire-builders.ts";

const AGENT = builtProgram("moving-agent");
export const PATIENCE_MS = 60_000;
const LOOK_MS = 30;

export type NodeOf = "n1" | "n2";

export interface MovingAgent {
  readonly client: AgentClient;
  /** Resolves when it stands still there. */
  stand(boundary: string, vm: string): Promise<void>;
  /** All that stand still. */
  go(): void;
  /** SIGKILL, and a new one in its place. */
  killAndStart(): Promise<void>;
}

export interface Link {
  /** Ends all that is open, and refuses nothing new. */
  cut(): void;
  /** What is sent in this direction on what is open now gets nowhere. */
  swallow(direction: "forth" | "back"): void;
}

export interface MovingWorld extends AsyncDisposable {
  readonly n1: MovingAgent;
  readonly n2: MovingAgent;
  readonly link: Link;
  /** Boots it on n1 and waits until it counts. */
  boot(vm: string): Promise<void>;
  /** Off on n1, with a disk that has these bytes. For `noop`. */
  makeOff(vm: string, disk: Buffer): Promise<void>;
  /** What its disk has there; null: it has none. */
  diskOn(node: NodeOf, vm: string): Buffer | null;
  /** From n1 to n2. Resolves with how it ended, or why it was refused. */
  move(vm: string, mode?: "live" | "cold"): Promise<OperationResult | Error>;
  /** Its phase then, or the code of what refused it. */
  bootOn(node: NodeOf, vm: string): Promise<string>;
  report(node: NodeOf, vm: string): Promise<VmReport | null>;
  /** Waits until neither of the nodes is in the middle of it any more; without a name, of any. */
  settled(vm?: string): Promise<void>;
  /** kill -9 of its guest there, if one is. */
  killGuest(node: NodeOf, vm: string): void;
  /** Numbers that it said, there first, then here, as they stand in both logs. */
  counted(vm: string): number[];
  /** Waits until it has counted on. */
  countsOn(node: NodeOf, vm: string): Promise<void>;
  /** Processes and files that a guest leaves in a run folder. */
  remains(node: NodeOf, vm: string): readonly string[];
  remove(vm: string): Promise<void>;
}

export type MovingKind = "qemu" | "noop" | `cloud-hypervisor ${string}`;

export async function aMovingWorld(kind: MovingKind): Promise<MovingWorld> {
  await using opened = new AsyncDisposableStack();
  const { path: folder } = opened.use(await aTempFolder());
  const program = kind === "qemu" || kind === "noop" ? kind : aCloudHypervisor(folder, kind);
  const start = async (name: NodeOf) => opened.use(await startAgent(name, folder, program));
  const [n1, n2] = await Promise.all([start("n1"), start("n2")]);
  const link = opened.use(await openLink(join(folder, "link.sock"), join(folder, "n2.sock")));
  const agents = { n1, n2 };
  const logOf = (node: NodeOf, vm: string): string => {
    const path = join(folder, node, "d/vms", vm, "logs/console.log");
    return existsSync(path) ? readFileSync(path, "latin1") : "";
  };
  const diskFile = (node: NodeOf, vm: string) => join(folder, node, "d/vms", vm, "disks/data.raw.placeholder");
  const numbers = (text: string) => [...text.matchAll(/COUNTER (\d+)\s/g)].map((match) => Number(match[1]));
  const reportOf = async (node: NodeOf) => (await agents[node].client.report(NEVER)).vms;
  const report = async (node: NodeOf, vm: string) => (await reportOf(node)).find(({ name }) => name === vm) ?? null;
  const guestsOf = (node: NodeOf, vm: string): readonly number[] => guestPids(join(folder, node, "r/vms", vm));
  const killAll = () => {
    for (const node of ["n1", "n2"] as const)
      for (const pid of guestPids(join(folder, node, "r/vms"))) process.kill(pid, "SIGKILL");
  };
  opened.defer(killAll);
  const whole = opened.move();
  const world: MovingWorld = {
    ...agents,
    link,
    async boot(vm) {
      await n1.client.putVm(vmName(vm), aPut({ id: `put-${vm}`, spec: specOf(kind), generation: 1 }), NEVER);
      await n1.client.operate(vmName(vm), { id: `boot-${vm}`, expect: null, kind: "boot" }, NEVER);
      if (kind !== "noop") await until("it counts", () => numbers(logOf("n1", vm)).length > 0, PATIENCE_MS);
    },
    async makeOff(vm, disk) {
      await n1.client.putVm(vmName(vm), aPut({ id: `put-${vm}`, spec: specOf(kind), generation: 1 }), NEVER);
      writeFileSync(diskFile("n1", vm), disk);
    },
    diskOn: (node, vm) => (existsSync(diskFile(node, vm)) ? readFileSync(diskFile(node, vm)) : null),
    async move(vm, mode = "live") {
      const seen = (await report("n1", vm)) as VmReport;
      try {
        return await moveGuest(
          {
            vm: vm as VmName,
            report: seen,
            fleet: null,
            from: { node: nodeName("n1"), agent: n1.client },
            to: { node: nodeName("n2"), agent: n2.client, address: `unix://${join(folder, "link.sock")}` },
            ids: { expect: `expect-${vm}`, migrate: `migrate-${vm}` },
            ticket: makeTicket(),
            mode,
          },
          NEVER,
        );
      } catch (error) {
        return error as Error;
      }
    },
    report,
    async bootOn(node, vm) {
      const request = { id: `boot-${vm}-${node}`, expect: null, kind: "boot" } as const;
      return await agents[node].client.operate(vmName(vm), request, NEVER).then(
        ({ after }) => after?.phase ?? "gone",
        (error: OdoroboError) => error.code,
      );
    },
    async settled(vm) {
      await until(
        `it is known where ${vm ?? "each VM"} is`,
        async () => {
          // A report is work for an agent, and for its guests.
          await sleep(LOOK_MS);
          const seen = await Promise.all([reportOf("n1"), reportOf("n2")]).catch(() => null);
          if (seen === null) return false;
          return seen
            .flat()
            .filter(({ name }) => vm === undefined || name === vm)
            .every(({ migration }) => migration === undefined || migration.stage === "left");
        },
        PATIENCE_MS,
      );
    },
    killGuest(node, vm) {
      for (const pid of guestsOf(node, vm)) process.kill(pid, "SIGKILL");
      if (kind === "noop") rmSync(join(folder, node, "r/vms", vm, "guest.json"), { force: true });
    },
    counted: (vm) => [...numbers(logOf("n1", vm)), ...numbers(logOf("n2", vm))],
    async countsOn(node, vm) {
      if (kind === "noop") return;
      const from = numbers(logOf(node, vm)).length;
      await until(`${vm} counts on`, () => numbers(logOf(node, vm)).length > from, PATIENCE_MS);
    },
    remains(node, vm) {
      const run = join(folder, node, "r/vms", vm);
      const files = existsSync(run) ? readdirSync(run) : [];
      return [
        ...guestsOf(node, vm).map((pid) => `process ${pid}`),
        ...files.filter((file) => file === "guest.json" || /^(in|out|nbd|d\d+)\.sock$/.test(file)),
      ];
    },
    async remove(vm) {
      for (const { client } of [n1, n2]) {
        const ask = (kind: "delete" | "purge") =>
          client.operate(
            vmName(vm),
            { id: `${kind}-${vm}`, expect: null, kind, ...(kind === "delete" ? { graceSeconds: 0 } : {}) } as never,
            NEVER,
          );
        await ask("delete")
          .then(() => ask("purge"))
          .catch(() => {});
      }
    },
    [Symbol.asyncDispose]: () => whole.disposeAsync(),
  };
  return world;
}

const DISK: Disk = { name: "data", origin: { kind: "blank", sizeMiB: 1 }, readonly: false };

const specOf = (kind: MovingKind): VmSpec =>
  aSpec({
    hypervisor: kind === "qemu" || kind === "noop" ? kind : "cloud-hypervisor",
    runStrategy: "Manual",
    cpus: { count: 1, max: 1 },
    memory: { sizeMiB: 16, maxMiB: 16 },
    boot: { kind: "kernel", kernel: "builtin:tiny", initramfs: null, cmdline: "" },
    // Cloud Hypervisor sends none.
    disks: kind === "qemu" || kind === "noop" ? [DISK] : [],
  });

/** The double: of this version, and quick. */
function aCloudHypervisor(folder: string, kind: MovingKind): string {
  const [, version = ""] = kind.split(" ");
  const knobs = { guest: { counterMs: 50 }, migration: { iterations: 2, iterationMs: 1 } };
  return installDouble(join(folder, "bin"), { version, knobs });
}

async function startAgent(name: NodeOf, folder: string, kind: string): Promise<MovingAgent & AsyncDisposable> {
  const waiting = new Map<string, () => void>();
  const start = async (): Promise<ChildProcess> => {
    const started = await begin(name, folder, kind);
    return started.on("message", ({ stands, vm }: { readonly stands: string; readonly vm: string }) =>
      waiting.get(`${stands} ${vm}`)?.(),
    );
  };
  let child = await start();
  const client = connectAgent({ address: `unix://${join(folder, `${name}.sock`)}` });
  return {
    client,
    async stand(boundary, vm) {
      const { promise: stands, resolve } = Promise.withResolvers<void>();
      waiting.set(`${boundary} ${vm}`, resolve);
      child.send({ stand: [boundary, vm] });
      await stands;
    },
    go: () => void child.send({ go: true }),
    async killAndStart() {
      const gone = once(child, "exit");
      child.kill("SIGKILL");
      await gone;
      child = await start();
    },
    async [Symbol.asyncDispose]() {
      await client.close();
      const gone = once(child, "exit");
      child.kill("SIGKILL");
      await gone;
    },
  };
}

async function begin(name: string, folder: string, kind: string): Promise<ChildProcess> {
  const child = fork(AGENT, [name, folder, kind], {
    stdio: ["ignore", "inherit", "inherit", "ipc"],
  });
  await Promise.race([
    once(child, "message"),
    once(child, "exit").then(([code]) => Promise.reject(new Error(`agent ${name} ended with ${code}`))),
  ]);
  return child;
}

async function openLink(path: string, target: string): Promise<Link & AsyncDisposable> {
  const pairs = new Set<readonly [Socket, Socket]>();
  const open = new Set<Socket>();
  const server = createServer({ allowHalfOpen: true }, (one) => {
    const other = connect({ path: target, allowHalfOpen: true });
    const pair = [one, other] as const;
    pairs.add(pair);
    for (const [from, to] of [pair, [other, one] as const]) {
      open.add(from);
      from.pipe(to);
      from.on("error", () => from.destroy());
      from.once("close", () => {
        pairs.delete(pair);
        open.delete(from);
        if (!from.readableEnded) to.destroy();
      });
    }
  });
  server.listen(path);
  await once(server, "listening");
  const cut = () => {
    for (const socket of open) socket.destroy();
  };
  return {
    cut,
    swallow(direction) {
      for (const [one, other] of pairs) {
        const [from, to] = direction === "forth" ? [one, other] : [other, one];
        from.unpipe(to);
        from.resume();
      }
    },
    async [Symbol.asyncDispose]() {
      cut();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** Of hypervisors that work below this folder. */
function guestPids(runFolder: string): readonly number[] {
  return readdirSync("/proc").flatMap((entry) => {
    if (!/^\d+$/.test(entry)) return [];
    try {
      const args = readFileSync(`/proc/${entry}/cmdline`, "latin1");
      const isHypervisor = args.startsWith("qemu") || args.includes("/double/main.mjs");
      return isHypervisor && args.includes(`${runFolder}/`) ? [Number(entry)] : [];
    } catch {
      return [];
    }
  });
}
