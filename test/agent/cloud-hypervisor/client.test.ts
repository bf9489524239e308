/** The client of the API, against the double for what Cloud Hypervisor does and against a liar for what it should not. */
import { subscribe, unsubscribe } from "node:diagnostics_channel";
import { mkdir, writeFile } from "node:fs/promises";
import { createServer, type Socket } from "node:net";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { ApiClient } from "../../../src/agent/hypervisor/cloud-hypervisor/client.ts";
import { ENDPOINTS, type Endpoint } from "../../../src/agent/hypervisor/cloud-hypervisor/endpoints.ts";
import type { VmConfig } from "../../../src/model/cloud-hypervisor/vm-config.ts";
import {
  aVmConfig,
  cloudHypervisorForTests,
  type RunningCloudHypervisor,
  startCloudHypervisor,
} from "../../support/cloud-hypervisor.ts";
import { cloudHypervisorOpenApi } from "../../support/cloud-hypervisor-openapi.ts";
import { patience } from "../../support/qemu-world.ts";
import { aTempFolder } from "../../support/temp-folder.ts";

const options = () => ({ signal: patience() });

type Settings = Parameters<typeof cloudHypervisorForTests>[0];

/** A process, and a client of it. */
async function aClient(settings: Settings = { double: true }) {
  await using opened = new AsyncDisposableStack();
  const binary = opened.use(await cloudHypervisorForTests(settings));
  const vmm = opened.use(await startCloudHypervisor(binary));
  const client = opened.use(await ApiClient.connect(vmm.apiSocket, { signal: patience(), patient: true }));
  const life = opened.move();
  return { vmm, client, [Symbol.asyncDispose]: () => life.disposeAsync() };
}

const config = ({ folder }: RunningCloudHypervisor, over: Readonly<Record<string, unknown>> = {}): VmConfig =>
  aVmConfig(folder, over) as unknown as VmConfig;

interface Sent {
  readonly method: string;
  readonly route: string;
  /** undefined: none. */
  readonly body: unknown;
}

/** What undici sends from now on, as it sends it. */
function requestsSent(): Sent[] & Disposable {
  const sent: Sent[] = [];
  const note = (message: unknown) => {
    const { request } = message as { request: { method: string; path: string; body: string | Uint8Array | null } };
    const text = request.body === null ? "" : Buffer.from(request.body as string).toString();
    const route = request.path.replace("/api/v1/", "");
    sent.push({ method: request.method, route, body: text === "" ? undefined : (JSON.parse(text) as unknown) });
  };
  subscribe("undici:request:create", note);
  return Object.assign(sent, { [Symbol.dispose]: () => void unsubscribe("undici:request:create", note) });
}

describe("every endpoint", () => {
  test("of the published description has a method, and no other is there", () => {
    // Without the description at hand (it is not ours to keep) v53's number of endpoints is what can be compared.
    expect(Object.keys(ENDPOINTS)).toHaveLength(31);
    const contract = cloudHypervisorOpenApi();
    if (contract === null) return;
    const described = contract.routes.map(({ name, method }) => `${method} ${name}`);
    const ours = Object.entries(ENDPOINTS).map(([name, { method }]) => `${method} ${name}`);
    expect(ours.sort()).toEqual(described.sort());
  });

  test("can be called, and answers what its type says", async () => {
    await using running = await aClient({ knobs: { features: ["kvm", "guest_debug"] } });
    const { vmm, client } = running;
    using sent = requestsSent();
    const { folder } = vmm;
    const called = new Set<Endpoint>();
    const noted = <T>(endpoint: Endpoint, answer: Promise<T>): Promise<T> => {
      called.add(endpoint);
      return answer;
    };
    const refused = async (endpoint: Endpoint, answer: Promise<unknown>, code: string) => {
      await expect(noted(endpoint, answer), endpoint).rejects.toMatchObject({ code });
    };
    const disk = join(folder, "disk.raw");
    await writeFile(disk, Buffer.alloc(1 << 20));

    expect(await noted("vmm.ping", client.call("vmm.ping", options()))).toMatchObject({ version: "53.0.0" });
    await refused("vm.info", client.call("vm.info", options()), "WRONG_PHASE");
    await noted("vm.create", client.call("vm.create", config(vmm, { balloon: { size: 0 } }), options()));
    expect(await client.call("vm.info", options())).toMatchObject({ state: "Created" });
    expect(await noted("vm.boot", client.call("vm.boot", options()))).toBeNull();
    expect(await client.call("vm.info", options())).toMatchObject({ state: "Running" });
    expect(await noted("vm.counters", client.call("vm.counters", options()))).toEqual(expect.any(Object));
    await noted("vm.pause", client.call("vm.pause", options()));
    await mkdir(join(folder, "snapshot"));
    const snapshot = { destination_url: `file://${folder}/snapshot` };
    await noted("vm.snapshot", client.call("vm.snapshot", snapshot, options()));
    await noted("vm.resume", client.call("vm.resume", options()));
    await noted("vm.resize", client.call("vm.resize", { desired_vcpus: 2 }, options()));
    const added = await noted(
      "vm.add-disk",
      client.call("vm.add-disk", { id: "more", path: disk, image_type: "Raw" }, options()),
    );
    expect(added).toEqual({ id: "more", bdf: expect.stringMatching(/^0000:00:[0-9a-f]{2}\.0$/) });
    await noted("vm.resize-disk", client.call("vm.resize-disk", { id: "more", desired_size: 2 << 20 }, options()));
    await noted("vm.remove-device", client.call("vm.remove-device", { id: "more" }, options()));
    await vmm.untilEvent("vm/device-removed");
    await noted("vm.add-net", client.call("vm.add-net", { id: "eth0", tap: "odotap0" }, options()));
    await noted("vm.add-pmem", client.call("vm.add-pmem", { id: "pm", file: disk, size: 2 << 20 }, options()));
    await noted(
      "vm.add-vsock",
      client.call("vm.add-vsock", { id: "vs", cid: 5, socket: join(folder, "v.sock") }, options()),
    );
    await noted("vm.nmi", client.call("vm.nmi", options()));
    await noted("vm.coredump", client.call("vm.coredump", { destination_url: `file://${folder}/core` }, options()));
    await noted("vm.reboot", client.call("vm.reboot", options()));
    // What needs back ends or shared memory is refused, in as many ways.
    const nowhere = join(folder, "nowhere");
    await refused(
      "vm.resize-zone",
      client.call("vm.resize-zone", { id: "z", desired_ram: 0 }, options()),
      "HYPERVISOR_FAILED",
    );
    await refused(
      "vm.add-fs",
      client.call("vm.add-fs", { tag: "t", socket: nowhere, num_queues: 1, queue_size: 1024 }, options()),
      "BAD_REQUEST",
    );
    const generic = { socket: nowhere, queue_sizes: [128], device_type: 26 };
    await refused(
      "vm.add-generic-vhost-user",
      client.call("vm.add-generic-vhost-user", generic, options()),
      "BAD_REQUEST",
    );
    await refused(
      "vm.add-user-device",
      client.call("vm.add-user-device", { socket: nowhere }, options()),
      "BAD_REQUEST",
    );
    await refused(
      "vm.add-vdpa",
      client.call("vm.add-vdpa", { path: nowhere, num_queues: 1 }, options()),
      "HYPERVISOR_FAILED",
    );
    await refused("vm.add-device", client.call("vm.add-device", { path: nowhere }, options()), "HYPERVISOR_FAILED");
    await refused(
      "vm.receive-migration",
      client.call("vm.receive-migration", { receiver_url: "unix:/x" }, options()),
      "WRONG_PHASE",
    );
    const bad = { destination_url: "nonsense" };
    await refused("vm.send-migration", client.call("vm.send-migration", bad, options()), "HYPERVISOR_FAILED");
    await noted("vm.power-button", client.call("vm.power-button", options()));
    await vmm.untilEvent("vm/shutdown");
    await refused("vm.shutdown", client.call("vm.shutdown", options()), "WRONG_PHASE");
    await noted("vm.delete", client.call("vm.delete", options()));
    await noted(
      "vm.restore",
      client.call("vm.restore", { source_url: `file://${folder}/snapshot`, resume: true }, options()),
    );
    await noted("vmm.shutdown", client.call("vmm.shutdown", options()));
    expect((await vmm.ended).code).toBe(0);
    expect([...called].sort()).toEqual(Object.keys(ENDPOINTS).sort());
    // On the wire: no body where none is taken, and each as the published description has it.
    expect([...new Set(sent.map(({ route }) => route))].sort()).toEqual(Object.keys(ENDPOINTS).sort());
    const contract = cloudHypervisorOpenApi();
    for (const { method, route, body } of sent) {
      expect(method, route).toBe(ENDPOINTS[route as Endpoint].method);
      expect(contract?.request(route, body) ?? [], `${route} ${JSON.stringify(body)}`).toEqual([]);
    }
  });
});

describe("requests", () => {
  test("wait for one another, in the order of asking", async () => {
    await using running = await aClient({ knobs: { slow: { "vm.create": 200 } } });
    const { client, vmm } = running;
    const order: string[] = [];
    const done = (name: string) => () => order.push(name);
    await Promise.all([
      client.call("vm.create", config(vmm), options()).then(done("create")),
      client.call("vm.boot", options()).then(done("boot")),
      client.call("vm.info", options()).then(done("info")),
    ]);
    expect(order).toEqual(["create", "boot", "info"]);
  });

  test("are given up at their caller's signal while they wait, and those behind are not held up", async () => {
    await using running = await aClient({ knobs: { slow: { "vm.create": 300 } } });
    const { client, vmm } = running;
    const creating = client.call("vm.create", config(vmm), options());
    const caller = new AbortController();
    const waiting = client.call("vm.boot", { signal: caller.signal });
    const behind = client.call("vm.info", options());
    caller.abort(new Error("not any more"));
    await expect(waiting).rejects.toThrow("not any more");
    await creating;
    expect(await behind).toMatchObject({ state: "Created" });
  });

  test("end at their deadline, and the next one is answered when the server is back", async () => {
    await using running = await aClient({ knobs: { slow: { "vm.create": 500 } } });
    const { client, vmm } = running;
    await expect(client.call("vm.create", config(vmm), { ...options(), deadlineMs: 100 })).rejects.toMatchObject({
      code: "HYPERVISOR_UNAVAILABLE",
      message: expect.stringContaining("did not answer vm.create within 0.1 s"),
    });
    expect(await client.call("vm.info", options())).toMatchObject({ state: "Created" });
  });

  test.each([
    ["53.0", 51_200],
    ["54.0", 4 * 1024 * 1024],
  ])("of more bytes than v%s takes are not sent", async (version, limit) => {
    await using running = await aClient({ version });
    const { client, vmm } = running;
    const ofBytes = (bytes: number) => {
      const empty = JSON.stringify(config(vmm, { payload: { kernel: "/k", cmdline: "" } })).length;
      return config(vmm, { payload: { kernel: "/k", cmdline: "x".repeat(bytes - empty) } });
    };
    await expect(client.call("vm.create", ofBytes(limit + 1), options())).rejects.toMatchObject({
      code: "PAYLOAD_TOO_LARGE",
      message: expect.stringContaining(`${limit + 1} bytes`),
    });
    await client.call("vm.create", ofBytes(limit), options());
    expect(await client.call("vm.info", options())).toMatchObject({ state: "Created" });
  });

  test("to a process that ended are refused at once, and those of its last moment with it", async () => {
    await using running = await aClient({ knobs: { hang: ["vm.info"] } });
    const { client, vmm } = running;
    const last = client.call("vm.info", options());
    const behind = client.call("vmm.ping", options());
    setImmediate(() => vmm.kill("SIGKILL"));
    for (const call of [last, behind]) await expect(call).rejects.toMatchObject({ code: "HYPERVISOR_UNAVAILABLE" });
    await vmm.ended;
    await expect(client.call("vmm.ping", options())).rejects.toMatchObject({
      code: "HYPERVISOR_UNAVAILABLE",
      message: expect.stringContaining("nobody listens"),
    });
  });
});

describe("connecting", () => {
  test("waits for a socket that is not there yet, if it may", async () => {
    await using binary = await cloudHypervisorForTests({ knobs: { startMs: 200 } });
    await using temp = await aTempFolder();
    const socket = join(temp.path, "ch.sock");
    await expect(ApiClient.connect(socket, { signal: patience(), patient: false })).rejects.toMatchObject({
      code: "HYPERVISOR_UNAVAILABLE",
    });
    const connecting = ApiClient.connect(socket, { signal: patience(), patient: true });
    await using vmm = await startCloudHypervisor(binary, { folder: temp.path });
    await using client = await connecting;
    expect(client.version).toBe("53.0.0");
    vmm.kill("SIGTERM");
    await vmm.ended;
  });

  test.each(["49.0.0", "1.2", "who knows"])("to version %s is refused", async (version) => {
    await using liar = await aLiar(() => json(200, { version }));
    await expect(ApiClient.connect(liar.socket, { signal: patience(), patient: true })).rejects.toMatchObject({
      code: "HYPERVISOR_UNAVAILABLE",
      message: expect.stringContaining(version),
      hint: expect.stringContaining("install 50 or later"),
    });
  });
});

/** A server that answers what it is told to, byte by byte; null: nothing, ever. */
async function aLiar(answer: (path: string) => string | null) {
  const temp = await aTempFolder();
  const socket = join(temp.path, "ch.sock");
  const open = new Set<Socket>();
  const server = createServer((connection) => {
    open.add(connection);
    connection.on("error", () => {});
    connection.on("close", () => open.delete(connection));
    connection.on("data", (bytes) => {
      const text = answer(/^\S+ \/api\/v1\/(\S*)/.exec(bytes.toString("latin1"))?.[1] ?? "");
      if (text === null) return;
      if (text.endsWith("CUT")) connection.end(text.slice(0, -3));
      else connection.write(text);
    });
  });
  await new Promise<void>((resolve) => server.listen(socket, resolve));
  return {
    socket,
    async [Symbol.asyncDispose]() {
      for (const connection of open) connection.destroy();
      await new Promise<void>((resolve) => server.close(() => resolve()));
      await temp[Symbol.asyncDispose]();
    },
  };
}

const json = (status: number, body: unknown): string => {
  const text = typeof body === "string" ? body : JSON.stringify(body);
  return `HTTP/1.1 ${status} \r\nContent-Type: application/json\r\nContent-Length: ${Buffer.byteLength(text)}\r\n\r\n${text}`;
};

const pingOr = (other: string | null) => (path: string) =>
  path === "vmm.ping" ? json(200, { version: "53.0.0" }) : other;

describe("a server that is not what it should be", () => {
  test.each([
    ["half an answer", 'HTTP/1.1 200 \r\nContent-Length: 100\r\n\r\n{"state":CUT', "HYPERVISOR_UNAVAILABLE"],
    ["no HTTP", "SSH-2.0-OpenSSH_9.2\r\n", "HYPERVISOR_UNAVAILABLE"],
    ["no JSON", json(200, "<html>"), "HYPERVISOR_FAILED"],
    ["an end without a word", "CUT", "HYPERVISOR_UNAVAILABLE"],
    [
      "more than anybody can read",
      `HTTP/1.1 200 \r\nContent-Length: ${1 << 30}\r\n\r\n${"x".repeat(20 << 20)}`,
      "HYPERVISOR_UNAVAILABLE",
    ],
  ] as const)("%s", async (_what, answer, code) => {
    await using liar = await aLiar(pingOr(answer));
    await using client = await ApiClient.connect(liar.socket, { signal: patience(), patient: true });
    await expect(client.call("vm.info", options())).rejects.toMatchObject({ code });
    // And it can be asked again.
    expect(await client.call("vmm.ping", options())).toMatchObject({ version: "53.0.0" });
  });

  test("one that never answers is given up by a signal", async () => {
    await using liar = await aLiar(pingOr(null));
    await using client = await ApiClient.connect(liar.socket, { signal: patience(), patient: true });
    await expect(client.call("vm.info", { signal: AbortSignal.timeout(100) })).rejects.toMatchObject({
      name: "TimeoutError",
    });
    await expect(
      client.raw({ method: "GET", path: "vm.info", body: null }, AbortSignal.timeout(100)),
    ).rejects.toMatchObject({
      name: "TimeoutError",
    });
  });
});
