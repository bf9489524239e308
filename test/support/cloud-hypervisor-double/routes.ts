/** The 31 routes: what each takes, how its failure is called, and what it does. */

import type { Receive, Resize, Restore, Send } from "./bodies.ts";
import {
  COREDUMP,
  RECEIVE,
  REMOVE_DEVICE,
  RESIZE,
  RESIZE_DISK,
  RESIZE_ZONE,
  RESTORE,
  SEND,
  SNAPSHOT,
} from "./bodies.ts";
import type { HttpRequest, HttpResponse } from "./http-server.ts";
import type { Knobs } from "./knobs.ts";
import { Refusal, statusOf } from "./refusal.ts";
import type { Release } from "./release.ts";
import { decode, type Struct } from "./shapes.ts";
import {
  DEVICE,
  type DeviceList,
  diskShape,
  FS,
  GENERIC_VHOST_USER,
  NET,
  type PciDevice,
  PMEM,
  USER_DEVICE,
  VDPA,
  type VmConfig,
  VSOCK,
  vmConfigShape,
} from "./vm-config.ts";
import type { Vmm } from "./vmm.ts";

interface Route {
  readonly method: "GET" | "PUT";
  /** Null: a body is refused. */
  readonly body: Struct | null;
  /** The outermost of what a failure says, after "Error from API". */
  readonly failure: string;
  /** Text: 200 with it. Null: 204. */
  readonly run: (vmm: Vmm, body: Record<string, unknown>) => Promise<string | null> | string | null;
}

const ROOT = "/api/v1/";

const get = (failure: string, run: (vmm: Vmm) => string): Route => ({ method: "GET", body: null, failure, run });

const act = (failure: string, run: (vmm: Vmm) => Promise<void> | void): Route => put(failure, null, run);

const put = <B>(failure: string, body: Struct | null, run: (vmm: Vmm, body: B) => Promise<void> | void): Route => ({
  method: "PUT",
  body,
  failure,
  run: async (vmm, value) => {
    await run(vmm, value as B);
    return null;
  },
});

const add = (failure: string, list: DeviceList, body: Struct): Route => ({
  method: "PUT",
  body,
  failure: `The ${failure} could not be added to the VM`,
  run: (vmm, device) => vmm.add(list, device as unknown as PciDevice),
});

interface Identified {
  readonly id: string;
}

export function createRoutes(release: Release, knobs: Knobs): ReadonlyMap<string, Route> {
  const routes: Record<string, Route> = {
    "vmm.ping": get("The VMM could not be pinged", (vmm) => vmm.ping()),
    "vmm.shutdown": act("The VMM could not shutdown", (vmm) => vmm.shutDownVmm()),
    "vm.info": get("The VM info is not available", (vmm) => vmm.info()),
    "vm.counters": get("The VM info is not available", (vmm) => vmm.counters()),
    "vm.create": put<VmConfig>("The VM could not be created", vmConfigShape(release.major), (vmm, config) =>
      vmm.create(config),
    ),
    "vm.delete": act("The VM could not be deleted", (vmm) => vmm.delete()),
    "vm.boot": act("The VM could not boot", (vmm) => vmm.boot()),
    "vm.pause": act("The VM could not be paused", (vmm) => vmm.pause()),
    "vm.resume": act("The VM could not resume", (vmm) => vmm.resume()),
    "vm.shutdown": act("The VM could not shutdown", (vmm) => vmm.shutDown()),
    "vm.reboot": act("The VM could not reboot", (vmm) => vmm.reboot()),
    "vm.power-button": act("Error triggering power button", (vmm) => vmm.pressButton()),
    "vm.nmi": act("Error triggering NMI", (vmm) => vmm.nmi()),
    "vm.resize": put<Resize>("The VM could not be resized", RESIZE, (vmm, to) => vmm.resize(to)),
    "vm.resize-disk": put<Identified & { readonly desired_size: number }>(
      "The disk could not be resized",
      RESIZE_DISK,
      (vmm, to) => vmm.resizeDisk(to.id, to.desired_size),
    ),
    "vm.resize-zone": put<Identified & { readonly desired_ram: number }>(
      "The memory zone could not be resized",
      RESIZE_ZONE,
      (vmm, to) => vmm.resizeZone(to.id, to.desired_ram),
    ),
    "vm.add-device": add("device", "devices", DEVICE),
    "vm.add-user-device": add("user device", "user_devices", USER_DEVICE),
    "vm.add-disk": add("disk", "disks", diskShape(release.major)),
    "vm.add-fs": add("fs", "fs", FS),
    "vm.add-generic-vhost-user": add("generic vhost-user device", "generic_vhost_user", GENERIC_VHOST_USER),
    "vm.add-net": add("network device", "net", NET),
    "vm.add-pmem": add("pmem device", "pmem", PMEM),
    "vm.add-vdpa": add("vDPA device", "vdpa", VDPA),
    "vm.add-vsock": add("vsock device", "vsock", VSOCK),
    "vm.remove-device": put<Identified>("The device could not be removed from the VM", REMOVE_DEVICE, (vmm, { id }) =>
      vmm.removeDevice(id),
    ),
    "vm.snapshot": put<{ readonly destination_url: string }>("The VM could not be snapshotted", SNAPSHOT, (vmm, to) =>
      vmm.snapshot(to.destination_url),
    ),
    "vm.restore": put<Restore>("The VM could not be restored", RESTORE, (vmm, from) => vmm.restore(from)),
    "vm.coredump": put<{ readonly destination_url: string }>("The VM could not be coredumped", COREDUMP, (vmm, to) =>
      vmm.coredump(to.destination_url),
    ),
    "vm.receive-migration": put<Receive>("Error receiving migration", RECEIVE, (vmm, from) => vmm.receive(from)),
    "vm.send-migration": put<Send>(
      release.sendReturnsAtOnce ? "Error dispatching the migration worker" : "Error sending migration",
      SEND,
      (vmm, to) => vmm.send(to),
    ),
  };
  if (!knobs.features.includes("guest_debug")) delete routes["vm.coredump"];
  if (!release.hasGenericVhostUser) delete routes["vm.add-generic-vhost-user"];
  return new Map(Object.entries(routes));
}

export function answerRequests(
  vmm: Vmm,
  release: Release,
  routes: ReadonlyMap<string, Route>,
): (request: HttpRequest) => Promise<HttpResponse> {
  const refused = (error: unknown): HttpResponse => {
    if (!(error instanceof Refusal)) throw error;
    const chain = error.kind === "vCPU removal pending" ? ["Too Many Requests"] : error.chain;
    return { status: statusOf(error.kind, release), body: JSON.stringify(chain) };
  };
  const badRequest = refused(new Refusal("bad request", "Bad Request"));
  const empty: HttpResponse = { status: 400, body: null };

  return async ({ method, path, body }) => {
    const name = path.startsWith(ROOT) ? path.slice(ROOT.length) : "";
    const route = routes.get(name);
    if (route === undefined) return refused(new Refusal("not found", "Not Found"));
    const answersItself = ["vmm.ping", "vm.info", "vm.create", "vmm.shutdown"].includes(name);
    if (method !== route.method) return method === "PATCH" && !answersItself ? empty : badRequest;
    // vmm.shutdown does not look at its body.
    if (method === "PUT" && name !== "vmm.shutdown" && (route.body === null) !== (body === null)) {
      return name === "vm.create" ? empty : badRequest;
    }
    try {
      const value = route.body === null || body === null ? {} : decode(route.body, body, release);
      try {
        const text = await vmm.request(name, () => route.run(vmm, value));
        if (name === "vmm.shutdown") return { status: 200, body: null };
        return text === null ? { status: 204, body: null } : { status: 200, body: text };
      } catch (error) {
        throw error instanceof Refusal
          ? new Refusal(error.kind, "Error from API", ...outer(error, route), ...error.chain)
          : error;
      }
    } catch (error) {
      return refused(error);
    } finally {
      if (name === "vmm.shutdown") vmm.leaveLoop();
    }
  };
}

/** The thread that died could not even say what it was about. */
const outer = (error: Refusal, route: Route): readonly string[] =>
  error.chain[0] === "API response receive error" ? [] : [route.failure];
