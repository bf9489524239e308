/** Where things are, said once for server and client. */
import type { VmName } from "../model/names.ts";

export const DEFAULT_AGENT_PORT = 8890;

/** The code of an error in an answer of the Rust agent's shape, which has no place for it. */
export const ERROR_CODE_HEADER = "odorobo-code";

/** On PUT and POST of an apply: the id of its run. A header, because agents refuse bodies with fields that they do not know. */
export const RUN_HEADER = "odorobo-run";

export const routes = {
  health: () => "/v1/health",
  report: () => "/v1/report",
  vm: (name: VmName) => `/v1/vms/${encodeURIComponent(name)}`,
  operations: (name: VmName) => `/v1/vms/${encodeURIComponent(name)}/operations`,
  operation: (id: string) => `/v1/operations/${encodeURIComponent(id)}`,
  /** text/plain; `?tailLines=N` or `?tailBytes=N`, `?follow=1` keeps the answer open. */
  log: (name: VmName) => `/v1/vms/${encodeURIComponent(name)}/log`,
  /** WebSocket: binary frames are the serial line, both ways. */
  console: (name: VmName) => `/v1/vms/${encodeURIComponent(name)}/console`,
  /** Not for people: where the agent that has a guest brings it to the one that expects it; see `move-channel.ts`. */
  arrival: (name: VmName, channel: string) =>
    `/v1/vms/${encodeURIComponent(name)}/arrival/${encodeURIComponent(channel)}`,
  /** What the hypervisor counted, by device. */
  counters: (name: VmName) => `/v1/vms/${encodeURIComponent(name)}/counters`,
  /** What this node has and lacks for its work. */
  doctor: () => "/v1/doctor",
  /** The same with the texts of the host that a helper needs; without secrets. */
  support: () => "/v1/support",
  /** Of the Rust agent's API. */
  compatVm: (name: VmName) => `/vms/${encodeURIComponent(name)}`,
  /** What this node has of files and bridges; see `model/boot/boot-needs.ts`. */
  look: () => "/v1/look",
  images: () => "/v1/images",
  /** Brings one; `?waitSeconds=N`. */
  imageFetch: () => "/v1/images/fetch",
  imagePrune: () => "/v1/images/prune",
  /** Server-sent events; `?once=1`: those that are kept, and no more. */
  events: () => "/v1/events",
  whereabouts: (fleet: string) => `/v1/fleets/${encodeURIComponent(fleet)}/whereabouts`,
  /** Which loop turns that fleet by itself. */
  lease: (fleet: string) => `/v1/fleets/${encodeURIComponent(fleet)}/lease`,
} as const;
