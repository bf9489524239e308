/**
 * A real agent whose Cloud Hypervisor is the double, and a client that knows nothing of odorobo: what it sends and gets is
 * kept as a transcript, with what differs from run to run made the same.
 */
import { writeFileSync } from "node:fs";
import { request as httpRequest } from "node:http";
import { join } from "node:path";
import { type AgentSettings, parseAgentConfig } from "../../src/agent/config.ts";
import { startAgent } from "../../src/agent/main.ts";
import { silentLogger } from "../../src/platform/logger.ts";
import { type DoubleSettings, installDouble } from "./cloud-hypervisor-double/install.ts";
import { aTempFolder } from "./temp-folder.ts";

export interface Exchange {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly text: string;
  /** Of a body that is JSON. */
  readonly json: unknown;
}

export interface CompatWorld extends AsyncDisposable {
  readonly url: string;
  /** The agent ends and starts again, elsewhere; guests live on. */
  restart(): Promise<void>;
  readonly folder: string;
  /** A VmConfig that boots here. */
  readonly config: Readonly<Record<string, unknown>>;
  /** `body`: JSON unless it is text. `headers: {}` with a body: without a Content-Type. */
  ask(method: string, path: string, options?: AskOptions): Promise<Exchange>;
  /** As `ask`, and not in the transcript. */
  quietly(method: string, path: string, options?: AskOptions): Promise<Exchange>;
  /** A word between two exchanges. */
  note(words: string): void;
  transcript(): string;
}

export interface AskOptions {
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
}

export async function aCompatWorld(
  options: { readonly double?: DoubleSettings; readonly settings?: AgentSettings } = {},
): Promise<CompatWorld> {
  const folder = await aTempFolder();
  const kernel = join(folder.path, "vmlinux");
  writeFileSync(kernel, elfHeader());
  const executable = installDouble(folder.path, options.double);
  const start = () =>
    startAgent(
      parseAgentConfig({
        name: "n1",
        listen: ["127.0.0.1:0"],
        data: join(folder.path, "d"),
        run: join(folder.path, "r"),
        hooks: join(folder.path, "h"),
        hypervisor: ["cloud-hypervisor", "noop"],
        supervisor: "spawn",
        cloudHypervisor: executable,
        ...options.settings,
      }),
      { log: silentLogger },
    );
  let agent = await start();
  let url = agent.urls[0]!;
  const lines: string[] = [];
  const same = (text: string) => normalised(text, { folder: folder.path, url });
  const quietly = (method: string, path: string, { body, headers }: AskOptions = {}) =>
    exchange(url, method, path, body, headers);
  return {
    get url() {
      return url;
    },
    async restart() {
      await agent[Symbol.asyncDispose]();
      agent = await start();
      url = agent.urls[0]!;
    },
    folder: folder.path,
    config: {
      cpus: { boot_vcpus: 1, max_vcpus: 2 },
      memory: { size: 134_217_728 },
      payload: { kernel, cmdline: "console=ttyS0 double-guest=counter-ms:0" },
    },
    quietly,
    async ask(method, path, asked = {}) {
      const answer = await quietly(method, path, asked);
      lines.push(`> ${method} ${path}`);
      if (asked.headers !== undefined)
        for (const each of Object.entries(asked.headers)) lines.push(`> ${each.join(": ")}`);
      if (asked.body !== undefined) lines.push(...printed(same(bodyText(asked.body))).map((line) => `> ${line}`));
      const type = answer.headers["content-type"];
      lines.push(`< ${answer.status}${type === undefined ? "" : ` ${type}`}`);
      if (answer.text !== "") lines.push(...printed(same(shortened(answer.text))).map((line) => `< ${line}`));
      lines.push("");
      return answer;
    },
    note: (words) => void lines.push(`# ${words}`, ""),
    transcript: () => `${lines.join("\n")}\n`,
    async [Symbol.asyncDispose]() {
      // The guests would outlive their agent.
      for (const id of (await quietly("GET", "/vms")).json as string[]) await quietly("DELETE", `/vms/${id}`);
      await agent[Symbol.asyncDispose]();
      await folder[Symbol.asyncDispose]();
    },
  };
}

/** Plain HTTP, one connection each: what any client can do. */
function exchange(
  url: string,
  method: string,
  path: string,
  body: unknown,
  headers: Readonly<Record<string, string>> | undefined,
): Promise<Exchange> {
  return new Promise((resolve, reject) => {
    const { hostname, port } = new URL(url);
    const sent = body === undefined ? null : Buffer.from(bodyText(body));
    const request = httpRequest({
      hostname,
      port,
      method,
      path,
      agent: false,
      headers: {
        ...(sent === null ? {} : { "content-length": String(sent.length) }),
        ...(headers ?? (sent === null ? {} : { "content-type": "application/json" })),
      },
    });
    request.on("error", reject);
    request.on("response", (response) => {
      const chunks: Buffer[] = [];
      response.on("data", (chunk: Buffer) => chunks.push(chunk));
      response.on("error", reject);
      response.on("end", () => {
        const text = Buffer.concat(chunks).toString();
        const isJson = /json/.test(response.headers["content-type"] ?? "");
        resolve({
          status: response.statusCode ?? 0,
          headers: response.headers,
          text,
          json: isJson && text !== "" ? JSON.parse(text) : undefined,
        });
      });
    });
    request.end(sent ?? undefined);
  });
}

const bodyText = (body: unknown): string => (typeof body === "string" ? body : JSON.stringify(body));

/** What stands in a VmConfig, and how devices are numbered, is Cloud Hypervisor's to say and other tests' to look at. */
function shortened(text: string): string {
  try {
    return JSON.stringify(JSON.parse(text), (key, value) =>
      (key === "config" || key === "device_tree") && typeof value === "object" && value !== null
        ? `(${Object.keys(value).length > 0 ? (key === "config" ? "a VmConfig" : "its devices") : "empty"})`
        : value,
    );
  } catch {
    return text;
  }
}

function printed(text: string): readonly string[] {
  try {
    return JSON.stringify(JSON.parse(text), null, 2).split("\n");
  } catch {
    return text.split("\n");
  }
}

/** Times, processes, ports, folders and chance. */
export function normalised(text: string, { folder, url }: { readonly folder: string; readonly url: string }): string {
  return text
    .replaceAll(folder, "FOLDER")
    .replaceAll(new URL(url).host, "AGENT")
    .replaceAll(/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z/g, "TIME")
    .replaceAll(/"pid":\d+/g, '"pid":4711')
    .replaceAll(/process \d+/g, "process 4711")
    .replaceAll(/(tcp:[^":]+):\d+/g, "$1:49152");
}

/** Enough of one for the double, which looks at the first bytes. */
function elfHeader(): Buffer {
  const header = Buffer.alloc(64);
  header.write("\x7fELF", "latin1");
  return header;
}
