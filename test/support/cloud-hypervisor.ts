/**
 * Cloud Hypervisor for tests: a real one where there is one, else the double; and a bare process of it, spoken to directly.
 *
 *   await using hypervisor = await cloudHypervisorForTests();
 *   await using vmm = await startCloudHypervisor(hypervisor);
 *   await vmm.put("vm.create", aVmConfig(vmm.folder));
 *   await vmm.put("vm.boot");
 *   await vmm.untilEvent("vm/booted");
 */
import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, existsSync, openSync, readFileSync } from "node:fs";
import { request } from "node:http";
import { connect, type Socket } from "node:net";
import { delimiter, join } from "node:path";
import { fileURLToPath } from "node:url";
import { PACKAGE_ROOT } from "../../src/platform/package-root.ts";
import { controlAddress } from "./cloud-hypervisor-double/control.ts";
import { type DoubleSettings, installDouble } from "./cloud-hypervisor-double/install.ts";
import { cloudHypervisorOpenApi, type OpenApi } from "./cloud-hypervisor-openapi.ts";
import { requires } from "./requirements.ts";
import { aTempFolder } from "./temp-folder.ts";
import { until } from "./until.ts";

export interface CloudHypervisorForTests extends AsyncDisposable {
  /** Absolute. */
  readonly executable: string;
  readonly isReal: boolean;
}

/**
 * The real one when one is on the PATH (and could run guests), unless a version or knobs are asked for, or `double`: then the
 * double, in a folder of its own that goes at the end.
 */
export async function cloudHypervisorForTests(
  wanted: DoubleSettings & { readonly double?: boolean } = {},
): Promise<CloudHypervisorForTests> {
  const { double = wanted.version !== undefined || wanted.knobs !== undefined, ...settings } = wanted;
  if (!double && requires("stories on a real Cloud Hypervisor", "cloud-hypervisor")) {
    return { executable: onPath("cloud-hypervisor"), isReal: true, [Symbol.asyncDispose]: async () => {} };
  }
  const folder = await aTempFolder();
  return {
    executable: installDouble(folder.path, settings),
    isReal: false,
    [Symbol.asyncDispose]: () => folder[Symbol.asyncDispose](),
  };
}

function onPath(program: string): string {
  const found = (process.env.PATH ?? "").split(delimiter).find((folder) => existsSync(join(folder, program)));
  if (found === undefined) throw new Error(`${program} was on the PATH a moment ago`);
  return join(found, program);
}

const TINY_GUEST = fileURLToPath(new URL("guest/tiny.elf", PACKAGE_ROOT));
const MEBI = 1024 * 1024;

/** A VmConfig that boots: tiny guest, 1 of 4 vCPUs, 128 MiB and room for as much again, serial at `folder`/serial.sock. */
export function aVmConfig(folder: string, over: Readonly<Record<string, unknown>> = {}): Record<string, unknown> {
  return {
    payload: { kernel: TINY_GUEST },
    cpus: { boot_vcpus: 1, max_vcpus: 4 },
    memory: { size: 128 * MEBI, hotplug_size: 256 * MEBI },
    serial: { mode: "Socket", socket: join(folder, "serial.sock") },
    console: { mode: "Off" },
    ...over,
  };
}

export interface CloudHypervisorEvent {
  readonly source: string;
  readonly event: string;
  readonly properties: Readonly<Record<string, string>> | null;
}

export interface Answer {
  readonly status: number;
  /** JSON where it is JSON, else text; undefined: none. */
  readonly body: unknown;
}

export interface RunningCloudHypervisor extends AsyncDisposable {
  /** Its working folder, and of its sockets: ch.sock, serial.sock, events. */
  readonly folder: string;
  readonly apiSocket: string;
  readonly pid: number;
  /** Settles when the process ends. */
  readonly ended: Promise<{ readonly code: number | null; readonly signal: NodeJS.Signals | null }>;
  get(route: string): Promise<Answer>;
  put(route: string, body?: unknown): Promise<Answer>;
  /** As `put`, of a request that the OpenAPI description forbids. */
  putWrong(route: string, body: unknown): Promise<Answer>;
  /** vm.info's body; throws unless it is there. */
  info(): Promise<VmInfo>;
  /** `source/event` of all events so far. */
  events(): string[];
  eventObjects(): CloudHypervisorEvent[];
  untilEvent(name: string, count?: number): Promise<void>;
  /** What it wrote to stdout and stderr. */
  output(): string;
  /** The double's guest does something; throws when it does not know it. */
  tellGuest(line: string): Promise<void>;
  /** A client of the serial line, until the end of the test. */
  serial(): Promise<SerialClient>;
  kill(signal: NodeJS.Signals): void;
}

export interface VmInfo {
  readonly config: Readonly<Record<string, unknown>>;
  readonly state: string;
  readonly memory_actual_size?: number;
  readonly device_tree?: Readonly<Record<string, { readonly pci_bdf?: string }>> | null;
}

export interface SerialClient {
  said(): string;
  says(pattern: RegExp): Promise<void>;
  types(text: string): void;
  /** The other end closed it. */
  readonly isClosed: boolean;
  close(): void;
}

export interface StartOptions {
  readonly args?: readonly string[];
  /** Default true. */
  readonly noShutdown?: boolean;
  readonly env?: Readonly<Record<string, string>>;
  /** Another's, for a second process on the same paths; else a fresh one. */
  readonly folder?: string;
  /** Resolves without waiting for the API socket: for a process that is to fail. */
  readonly hasToServe?: boolean;
}

/** Starts it with its API socket, events to a file; waits until it serves. */
export async function startCloudHypervisor(
  hypervisor: { readonly executable: string },
  { args = [], noShutdown = true, env = {}, folder: given, hasToServe = true }: StartOptions = {},
): Promise<RunningCloudHypervisor> {
  const own = given === undefined ? await aTempFolder() : null;
  const folder = given ?? own?.path ?? "";
  const apiSocket = join(folder, "ch.sock");
  const eventFile = join(folder, "events");
  const outputFile = join(folder, "output");
  const all = ["--api-socket", `path=${apiSocket}`, "--event-monitor", `path=${eventFile}`, ...args];
  const output = openSync(outputFile, "a");
  const child = spawn(hypervisor.executable, noShutdown ? [...all, "--no-shutdown"] : all, {
    stdio: ["ignore", output, output],
    env: { ...process.env, ...env },
  });
  closeSync(output);
  const ended = new Promise<{ code: number | null; signal: NodeJS.Signals | null }>((resolve, reject) => {
    child.once("error", reject);
    child.once("exit", (code, signal) => resolve({ code, signal }));
  });
  const clients: Socket[] = [];
  const contract = openApi();
  const events = (): CloudHypervisorEvent[] => readEvents(eventFile);
  const names = (): string[] => events().map(({ source, event }) => `${source}/${event}`);
  const vmm: RunningCloudHypervisor = {
    folder,
    apiSocket,
    pid: child.pid ?? -1,
    ended,
    get: (route) => checkedCall(contract, apiSocket, "GET", route, undefined),
    put: (route, body) => checkedCall(contract, apiSocket, "PUT", route, body),
    putWrong: (route, body) => call(apiSocket, "PUT", route, body),
    async info() {
      const { status, body } = await vmm.get("vm.info");
      if (status !== 200) throw new Error(`vm.info: ${status} ${JSON.stringify(body)}`);
      return body as VmInfo;
    },
    events: names,
    eventObjects: events,
    async untilEvent(name, count = 1) {
      const happened = (): boolean => names().filter((each) => each === name).length >= count;
      await until(`event ${name}`, happened, PATIENCE_MS).catch((error: unknown) => {
        throw new Error(`events so far: ${names().join(" ")}`, { cause: error });
      });
    },
    output: () => readFileSync(outputFile, "utf8"),
    tellGuest: (line) => tellGuest(child.pid ?? -1, line),
    serial: () => serialClient(join(folder, "serial.sock"), clients),
    kill: (signal) => void child.kill(signal),
    async [Symbol.asyncDispose]() {
      for (const client of clients) client.destroy();
      if (!hasEnded(child)) child.kill("SIGKILL");
      await ended;
      await own?.[Symbol.asyncDispose]();
    },
  };
  if (!hasToServe) return vmm;
  const serves = async (): Promise<boolean> => hasEnded(child) || (await canConnect(apiSocket));
  await until(`${hypervisor.executable} serves`, serves, PATIENCE_MS);
  if (!hasEnded(child)) return vmm;
  const said = vmm.output();
  await vmm[Symbol.asyncDispose]();
  throw new Error(`${hypervisor.executable} ended: ${said}`);
}

/** Read once: compiling its schemas takes longer than a double takes to start. */
let readOpenApi: OpenApi | null | undefined;
const openApi = (): OpenApi | null => {
  readOpenApi ??= cloudHypervisorOpenApi();
  return readOpenApi;
};

/** Generous: the machine runs other tests at the same time. */
const PATIENCE_MS = 60_000;

const hasEnded = (child: ChildProcess): boolean => child.exitCode !== null || child.signalCode !== null;

function canConnect(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path);
    socket.once("connect", () => {
      socket.destroy();
      resolve(true);
    });
    socket.once("error", () => resolve(false));
  });
}

async function checkedCall(
  contract: OpenApi | null,
  socket: string,
  method: "GET" | "PUT",
  route: string,
  body: unknown,
): Promise<Answer> {
  const wrong = contract?.request(route, body) ?? [];
  if (wrong.length > 0)
    throw new Error(`the description forbids ${route} ${JSON.stringify(body)}: ${wrong.join("; ")}`);
  const answer = await call(socket, method, route, body);
  const odd = contract?.answer(route, answer.status, withoutNulls(answer.body)) ?? [];
  if (odd.length > 0)
    throw new Error(`the description does not know ${route}'s ${JSON.stringify(answer)}: ${odd.join("; ")}`);
  return answer;
}

/** Before 53 unset fields are null, which no schema of 53 allows. */
function withoutNulls(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutNulls);
  if (typeof value !== "object" || value === null) return value;
  const kept = Object.entries(value).filter(([, each]) => each !== null);
  return Object.fromEntries(kept.map(([name, each]) => [name, withoutNulls(each)]));
}

function call(socketPath: string, method: string, route: string, body: unknown): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const sent = request({ socketPath, method, path: `/api/v1/${route}`, agent: false }, (response) => {
      let text = "";
      response.setEncoding("utf8");
      response.on("data", (chunk: string) => {
        text += chunk;
      });
      response.on("end", () => resolve({ status: response.statusCode ?? 0, body: readBody(text) }));
      response.on("error", reject);
    });
    sent.setTimeout(PATIENCE_MS, () => sent.destroy(new Error(`no answer to ${route} within ${PATIENCE_MS} ms`)));
    sent.on("error", reject);
    if (body === undefined) sent.end();
    else sent.setHeader("content-type", "application/json").end(JSON.stringify(body));
  });
}

function readBody(text: string): unknown {
  if (text === "") return undefined;
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return text;
  }
}

/** What is cut or not finished yet is passed over. */
function readEvents(file: string): CloudHypervisorEvent[] {
  if (!existsSync(file)) return [];
  const texts = readFileSync(file, "utf8").split("\n\n");
  return texts.flatMap((text) => {
    try {
      return [JSON.parse(text) as CloudHypervisorEvent];
    } catch {
      return [];
    }
  });
}

/** Tells the guest inside the double of this process id to do something; see its guest.ts. */
export function tellGuest(pid: number, line: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = connect(controlAddress(pid));
    let answer = "";
    socket.setEncoding("utf8");
    socket.on("data", (text: string) => {
      answer += text;
    });
    socket.on("error", reject);
    socket.on("close", () => (answer === "" || answer === "ok\n" ? resolve() : reject(new Error(answer.trim()))));
    socket.write(`${line}\n`);
  });
}

async function serialClient(path: string, clients: Socket[]): Promise<SerialClient> {
  const socket = connect(path);
  clients.push(socket);
  let said = "";
  let isClosed = false;
  socket.setEncoding("latin1");
  socket.on("data", (text: string) => {
    said += text;
  });
  socket.on("close", () => {
    isClosed = true;
  });
  await new Promise<void>((resolve, reject) => {
    socket.once("connect", resolve);
    socket.once("error", reject);
  });
  socket.on("error", () => socket.destroy());
  return {
    said: () => said,
    says: (pattern) => until(`the guest says ${pattern}`, () => pattern.test(said), PATIENCE_MS),
    types: (text) => void socket.write(text, "latin1"),
    get isClosed() {
      return isClosed;
    },
    close: () => socket.destroy(),
  };
}
