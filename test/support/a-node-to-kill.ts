/**
 * A node with a real systemd, a Cloud Hypervisor (the double, unless another is named) and a QEMU, whose agent is
 * killed again and again. Looks all the time whether any VM has two processes.
 *
 *   await using node = await aNodeToKill();
 *   const agent = await node.start();
 *   await agent.standStill({ "web-1": 3 });
 *   const result = await agent.operate("web-1", { kind: "boot", id: "1" });   // null: it stands still at its third boundary
 *   await agent.kill();
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { type VmName, vmName } from "../../src/model/names.ts";
import type { NodeReport } from "../../src/model/observed-state.ts";
import type { OperationArgs, OperationRequest, OperationResult, PutVmRequest } from "../../src/wire/operations.ts";
import { builtProgram } from "./built.ts";
import { installDouble } from "./cloud-hypervisor-double/install.ts";
import { aSystem, NODE_INSIDE, type System } from "./systemd.ts";
import type { Asked, Told } from "./systemd-agent-to-kill.ts";

const AGENT = builtProgram("systemd-agent-to-kill");
const LOOK_MS = 50;

/** A request that was refused says so in `code`. */
export type Answer = OperationResult | { readonly code: string; readonly message: string };

export interface AgentToKill {
  /** Each VM's boundary from now on, counted from 1; of others: none. */
  standStill(at: Readonly<Record<string, number>>): Promise<void>;
  /** VM → the boundary that it stands still at. */
  readonly stands: ReadonlyMap<string, string>;
  report(): Promise<NodeReport>;
  /** Null: it stands still, or died, before it answered. */
  put(vm: string, request: PutVmRequest): Promise<Answer | null>;
  operate(vm: string, request: OperationArgs & { readonly id: string }): Promise<Answer | null>;
  /** SIGKILL. */
  kill(): Promise<void>;
}

export interface NodeToKill extends AsyncDisposable {
  /** Where snapshots may be written. */
  readonly snapshots: string;
  /** Resolves when the agent knows all that runs. */
  start(): Promise<AgentToKill>;
  /** Pids of a VM's processes. */
  processes(vm: string): readonly number[];
  /** What was seen and must never be: two processes of one VM. */
  readonly doubles: ReadonlySet<string>;
  /** How often it was looked. */
  readonly looks: () => number;
  /** What the guest said on its serial line as it was kept, all its lives together. */
  serial(vm: string): Promise<string>;
  /** What is left of guests on this host: units, processes, run folders. */
  leftovers(): Promise<readonly string[]>;
}

export async function aNodeToKill(executable?: string): Promise<NodeToKill> {
  await using opened = new AsyncDisposableStack();
  const system = opened.use(await aSystem());
  const folder = system.shared;
  const double = executable ?? installDouble(join(folder, "double"), { node: NODE_INSIDE });
  const agents = new Set<AgentToKill>();
  opened.defer(async () => {
    for (const agent of agents) await agent.kill();
  });

  const processes = (): Map<string, number[]> => {
    const marked = new Map(
      system.processes().flatMap((pid) => {
        const guest = guestOf(pid, folder);
        return guest === null ? [] : [[pid, guest] as const];
      }),
    );
    // A program that a guest's process runs for a moment bears its mark, too, and is no second one.
    const guests = [...marked.values()].filter(({ vm, parent }) => marked.get(parent)?.vm !== vm);
    return new Map([...Map.groupBy(guests, ({ vm }) => vm)].map(([vm, each]) => [vm, each.map(({ pid }) => pid)]));
  };
  const doubles = new Set<string>();
  let looks = 0;
  const watch = setInterval(() => {
    looks++;
    for (const [vm, pids] of processes()) if (pids.length > 1) doubles.add(`${vm} has processes ${pids.join(" and ")}`);
  }, LOOK_MS);
  opened.defer(() => clearInterval(watch));

  const whole = opened.move();
  return {
    snapshots: join(folder, "s"),
    doubles,
    looks: () => looks,
    processes: (vm) => processes().get(vm) ?? [],
    serial: (vm) => readFile(join(folder, "d/vms", vm, "logs/console.log"), "latin1").catch(() => ""),
    async start() {
      const agent = await startAgent(system, double);
      agents.add(agent);
      return agent;
    },
    async leftovers() {
      const units = await system.run("systemctl", "list-units", "--all", "--plain", "--no-legend", "odorobo-*@*");
      const folders = await readdir(join(folder, "r/vms"));
      return [...units.split("\n").filter(Boolean), ...processes().keys(), ...folders];
    },
    [Symbol.asyncDispose]: () => whole.disposeAsync(),
  };
}

interface MarkedProcess {
  readonly vm: string;
  /** As systemd knows it. */
  readonly pid: number;
  readonly parent: number;
}

/** By pid on the host: what was found at it. Between fork and exec a process bears its parent's marks, so none is believed at once; exec gives it another name. */
const known = new Map<
  number,
  { readonly self: string; looks: number; readonly vm: string | null; readonly pid: number }
>();
const LOOKS_TO_BE_SURE = 20;

/** By the mark that each guest's process carries. Null: it is none, or it ended meanwhile. */
function guestOf(pid: number, folder: string): MarkedProcess | null {
  try {
    // After the name, which may hold anything: state, parent, and as the twentieth the moment it began.
    const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
    const nameEnd = stat.lastIndexOf(")");
    const [state = "Z", parent, ...rest] = stat.slice(nameEnd + 2).split(" ");
    if (state === "Z" || state === "X") return null;
    const self = `${stat.slice(0, nameEnd)} ${rest[17]}`;
    let found = known.get(pid);
    if (found === undefined || found.self !== self || found.looks < LOOKS_TO_BE_SURE) {
      const looks = found?.self === self ? found.looks + 1 : 1;
      found = { self, looks, ...markOf(pid, folder) };
      known.set(pid, found);
    }
    return found.vm === null ? null : { vm: found.vm, pid: found.pid, parent: Number(parent) };
  } catch {
    return null;
  }
}

function markOf(pid: number, folder: string): { readonly vm: string | null; readonly pid: number } {
  const [, inside] = /^NSpid:.*\t(\d+)$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8")) ?? [];
  const [, output = ""] =
    /(?:^|\0)ODOROBO_OUTPUT_FILE=([^\0]*)/.exec(readFileSync(`/proc/${pid}/environ`, "utf8")) ?? [];
  const [vm = null] = output.startsWith(`${folder}/d/vms/`) ? output.slice(`${folder}/d/vms/`.length).split("/") : [];
  return { vm, pid: Number(inside) };
}

async function startAgent(system: System, double: string): Promise<AgentToKill> {
  const [program = "", ...args] = system.inside([process.execPath, AGENT, system.shared, system.bus, double]);
  const child = spawn(program, args, {
    stdio: ["ignore", "ignore", "inherit", "ipc"],
    // Compiled once: an agent starts in a third of the time.
    env: { ...process.env, NODE_COMPILE_CACHE: join(system.shared, "compiled") },
  });
  const ended = once(child, "exit");
  const stands = new Map<string, string>();
  /** Called with the answer, or null. */
  const waiting = new Map<number, { readonly vm: string | null; readonly done: (told: Told | null) => void }>();
  let ids = 0;
  const giveUp = (isGivenUp: (vm: string | null) => boolean) => {
    for (const { vm, done } of waiting.values()) if (isGivenUp(vm)) done(null);
  };
  const isReady = new Promise<void>((resolve, reject) => {
    child.on("message", (told: Told) => {
      if (told.told === "ready") return resolve();
      if (told.told !== "stands-still") return waiting.get(told.id)?.done(told);
      stands.set(told.vm, told.boundary);
      giveUp((vm) => vm === told.vm);
    });
    child.once("exit", (code, signal) => {
      reject(new Error(`the agent ended before it was ready: ${code ?? signal}`));
      giveUp(() => true);
    });
  });
  const ask = (asked: Asked, vm: string | null): Promise<Told | null> =>
    new Promise((resolve) => {
      const id = ++ids;
      if (!child.connected) return resolve(null);
      waiting.set(id, {
        vm,
        done(told) {
          waiting.delete(id);
          resolve(told);
        },
      });
      child.send({ id, ...asked }, (error) => error && waiting.get(id)?.done(null));
    });
  const askOf = async (name: string, asked: (vm: VmName) => Asked): Promise<Answer | null> => {
    const told = await ask(asked(vmName(name)), name);
    if (told?.told === "refusal") return told;
    return told?.told === "answer" ? (told.answer as OperationResult) : null;
  };
  await isReady;
  return {
    stands,
    async standStill(at) {
      stands.clear();
      await ask({ ask: "stand-still", at }, null);
    },
    async report() {
      const told = await ask({ ask: "report" }, null);
      if (told?.told !== "answer") throw new Error(`no report: ${JSON.stringify(told)}`);
      return told.answer as NodeReport;
    },
    put: (name, request) => askOf(name, (vm) => ({ ask: "put", vm, request })),
    operate: (name, request) =>
      askOf(name, (vm) => ({ ask: "operate", vm, request: { expect: null, ...request } as OperationRequest })),
    async kill() {
      // Not to the child: that is the program which entered the container, and waits outside.
      await ask({ ask: "die" }, null);
      await ended;
    },
  };
}
