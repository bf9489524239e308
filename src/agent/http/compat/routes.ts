/** The routes of the Rust agent of April 2026, over the same lifecycle as `/v1`. What differs is told in docs/compatibility.md. */
import { OdoroboError } from "../../../model/errors.ts";
import { ANY_METHOD, type Route } from "../calls/call.ts";
import { getHealth, getInfo, getRoot } from "./agent-info.ts";
import { deleteConfig, putConfig } from "./config.ts";
import { receiveMigration, sendMigration } from "./migrate.ts";
import { passThrough } from "./passthrough.ts";
import { bootVm, pauseVm, pressPowerButton, resumeVm, shutdownVm } from "./power.ts";
import { destroyVm, getVmInfo, listVms, pingVm, spawnVm } from "./vms.ts";

export const COMPAT_ROUTES: readonly Route[] = [
  { path: "/", methods: { GET: ["observe", getRoot] } },
  { path: "/health", methods: { GET: ["observe", getHealth] } },
  { path: "/info", methods: { GET: ["observe", getInfo] } },
  { path: "/vms", methods: { GET: ["observe", listVms] } },
  {
    path: "/vms/{id}",
    methods: { GET: ["observe", getVmInfo], PUT: ["apply", spawnVm], DELETE: ["apply", destroyVm] },
  },
  { path: "/vms/{id}/ping", methods: { GET: ["observe", pingVm] } },
  { path: "/vms/{id}/config", methods: { PUT: ["apply", putConfig], DELETE: ["apply", deleteConfig] } },
  { path: "/vms/{id}/boot", methods: { PUT: ["operate", bootVm] } },
  { path: "/vms/{id}/pause", methods: { PUT: ["operate", pauseVm] } },
  { path: "/vms/{id}/resume", methods: { PUT: ["operate", resumeVm] } },
  { path: "/vms/{id}/shutdown", methods: { PUT: ["operate", shutdownVm] } },
  { path: "/vms/{id}/acpi_shutdown", methods: { PUT: ["operate", pressPowerButton] } },
  { path: "/vms/{id}/migrate/receive", methods: { PUT: ["apply", receiveMigration] } },
  { path: "/vms/{id}/migrate/send", methods: { PUT: ["apply", sendMigration] } },
  { path: "/vms/{id}/console", methods: { GET: ["observe", explainConsole] } },
  { path: "/vms/{id}/ch/{*path}", methods: { [ANY_METHOD]: ["observe", passThrough] } },
];

async function explainConsole(): Promise<Response> {
  throw new OdoroboError("BAD_REQUEST", "the console is a WebSocket", {
    hint: "websocat ws://HOST:8890/vms/ID/console",
  });
}
