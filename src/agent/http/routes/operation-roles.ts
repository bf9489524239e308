/** The least role for each kind of operation, by the rule in `model/role.ts`: what a boot undoes, what a plan does, what nothing undoes. */
import type { Role } from "../../../model/role.ts";
import type { OperationArgs } from "../../../wire/operations.ts";

export const OPERATION_ROLES: Readonly<Record<OperationArgs["kind"], Role>> = {
  boot: "operate",
  shutdown: "operate",
  reboot: "operate",
  pause: "operate",
  resume: "operate",
  "power-button": "operate",
  nmi: "operate",
  delete: "apply",
  snapshot: "apply",
  restore: "apply",
  resize: "apply",
  attach: "apply",
  detach: "apply",
  "migrate-receive": "apply",
  "migrate-send": "apply",
  "expect-guest": "apply",
  migrate: "apply",
  /** A guest that is kept where it is loses nothing. */
  "cancel-migration": "operate",
  /** Disks that are gone. */
  purge: "admin",
  /** The guest's memory, with every secret in it. */
  coredump: "admin",
};
