/** One whole and valid request for each method of a route, as its path and what `fetch` takes. */
import { ANY_METHOD, type Route } from "../../src/agent/http/calls/call.ts";
import { aPut, aWireSpec } from "./wire-builders.ts";

export interface RouteRequest {
  readonly path: string;
  readonly method: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | null;
}

const VALUES: Readonly<Record<string, string>> = {
  name: "web-1",
  id: "web-1",
  fleet: "shop",
  "*path": "vm.info",
};

const spec = aWireSpec({ disks: [], nics: [], labels: {} });

/** By method and path; what needs none has none. */
const BODIES: Readonly<Record<string, unknown>> = {
  "PUT /v1/vms/{name}": aPut({ spec }),
  "POST /v1/vms/{name}/operations": { id: "boot-1", kind: "boot", expect: null },
  "POST /v1/look": { questions: [{ kind: "bridge", name: "br0" }] },
  "PUT /v1/fleets/{fleet}/lease": { holder: "loop-1", by: "me", seconds: 30 },
  "PUT /v1/fleets/{fleet}/whereabouts": { fleet: "shop", at: "2026-01-01T12:00:00.000Z", homes: { "web-1": "n1" } },
  "PUT /vms/{id}": { payload: { kernel: "/vmlinuz" } },
  "PUT /vms/{id}/config": { payload: { kernel: "/vmlinuz" } },
  "PUT /vms/{id}/migrate/receive": { receiver_url: "tcp:127.0.0.1:1" },
  "PUT /vms/{id}/migrate/send": { destination_url: "tcp:127.0.0.1:1" },
  "PUT /vms/{id}/ch/{*path}": { desired_vcpus: 2 },
};

export function requestsOf({ path, methods }: Route): readonly RouteRequest[] {
  const names = Object.keys(methods).flatMap((method) => (method === ANY_METHOD ? ["GET", "PUT"] : [method]));
  return names.map((method) => {
    const body = BODIES[`${method} ${path}`];
    const own = body === undefined && method !== "GET" ? {} : body;
    return {
      path: path.replace(/\{([^}]+)\}/g, (_, name: string) => VALUES[name] ?? name),
      method,
      headers: own === undefined ? {} : { "content-type": "application/json" },
      body: own === undefined ? null : JSON.stringify(own),
    };
  });
}

/** As it goes over the wire. */
export function bytesOf({ path, method, headers, body }: RouteRequest): Buffer {
  const length = body === null ? {} : { "content-length": Buffer.byteLength(body) };
  const lines = Object.entries({ host: "localhost", ...headers, ...length }).map(([key, value]) => `${key}: ${value}`);
  return Buffer.from([`${method} ${path} HTTP/1.1`, ...lines, "", body ?? ""].join("\r\n"));
}
