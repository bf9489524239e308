/** ANY /vms/{id}/ch/{*path}: the whole API of a VM's Cloud Hypervisor, each call for those who may make it. */
import { OdoroboError } from "../../../model/errors.ts";
import { includesRole } from "../../../model/role.ts";
import { confinePath } from "../../confine-path.ts";
import type { RawAnswer } from "../../lifecycle/lifecycle.ts";
import { type Call, readBytes } from "../calls/call.ts";
import { findVm } from "./by-hand.ts";
import { hypervisorCall } from "./hypervisor-calls.ts";
import { canBeAsked, ping, requireCloudHypervisor, vmInfo } from "./vmm-view.ts";

export async function passThrough(call: Call): Promise<Response> {
  const { id, vm } = await findVm(call);
  const { method } = call.request;
  const path = (call.params.path ?? "").replace(/^\/*(api\/v1\/+)?/, "");
  requireCall(call, id, method, path);
  requireCloudHypervisor(vm);
  if (!canBeAsked(vm) && method === "GET" && path === "vm.info") return verbatim(await vmInfo(call, vm));
  if (!canBeAsked(vm) && method === "GET" && path === "vmm.ping") return verbatim(await ping(call, vm));
  if (!canBeAsked(vm))
    throw new OdoroboError("WRONG_PHASE", `${id} is ${vm.phase}: there is no hypervisor that could be asked`, {
      hint: `start it: PUT /vms/${id}/boot`,
    });
  const given = await readBytes(call.request);
  const body = path === "vm.snapshot" && call.caller.role !== "admin" ? await confinedTarget(call, given) : given;
  const answer = await call.parts.lifecycle.raw(
    vm.name,
    {
      method,
      path: `${path}${new URL(call.request.url).search}`,
      body: body.length === 0 ? null : body,
      mayMove: path === "vm.send-migration",
    },
    call.signal,
  );
  return verbatim(answer);
}

/** Throws FORBIDDEN with why, and what would do it. */
function requireCall({ caller, params }: Call, id: string, method: string, path: string): void {
  if (!/^\w[\w./-]*$/.test(path) || path.includes(".."))
    throw new OdoroboError("BAD_REQUEST", "no call of the hypervisor has this path", {
      hint: `one is GET /vms/${id}/ch/vm.info`,
    });
  const { role, instead } = hypervisorCall(method, path);
  if (includesRole(caller.role, role)) return;
  const asked = `${method} ${path}`.slice(0, 80);
  throw new OdoroboError(
    "FORBIDDEN",
    `${caller.name} has the role ${caller.role}; ${asked} of the hypervisor of ${id} itself needs ${role}`,
    {
      hint:
        instead === null
          ? "an admin can do it; afterwards the next plan shows the difference"
          : `odorobo ${instead} ${params.id?.toLowerCase() ?? ""} does it with checks and a journal`,
    },
  );
}

/**
 * Elsewhere an admin only may have the hypervisor write. What it is given is what was checked: the path with its links
 * followed, in a body that two parsers cannot understand in two ways. Rejects with PATH_NOT_ALLOWED or BAD_REQUEST.
 */
async function confinedTarget({ parts }: Call, body: Uint8Array): Promise<Uint8Array> {
  let url: unknown;
  try {
    url = JSON.parse(Buffer.from(body).toString()).destination_url;
  } catch (error) {
    throw new OdoroboError("BAD_REQUEST", "the body is not JSON", { cause: error });
  }
  if (typeof url !== "string" || !url.startsWith("file:///"))
    throw new OdoroboError("BAD_REQUEST", "destination_url must be file:// and an absolute path");
  const folder = await confinePath(url.slice("file://".length), parts.allowedRoots);
  return Buffer.from(JSON.stringify({ destination_url: `file://${folder}` }));
}

function verbatim({ status, contentType, body }: RawAnswer): Response {
  const isEmpty = status === 204 || status === 304;
  return new Response(isEmpty ? null : new Uint8Array(body), {
    status,
    headers: {
      ...(contentType === null ? {} : { "content-type": contentType }),
      ...(isEmpty ? {} : { "content-length": String(body.length) }),
      "cache-control": "no-store",
    },
  });
}
