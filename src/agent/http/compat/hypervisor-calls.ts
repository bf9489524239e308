/**
 * Which calls of Cloud Hypervisor's own API a role may make, and what odorobo does better. Pure.
 *
 * A role may make those that do no more than what it may do through odorobo. The rest, and whatever newer versions bring, is
 * for admins: those calls go around the lifecycle, which only sees afterwards what became of the guest.
 */
import type { Role } from "../../../model/role.ts";

export interface HypervisorCall {
  readonly role: Role;
  /** The command that does it with journal, checks and reports; null: there is none. */
  readonly instead: string | null;
}

/** By method and path below the API's root. */
const CALLS: Readonly<Record<string, HypervisorCall>> = {
  "GET vmm.ping": { role: "observe", instead: "vm ping" },
  "GET vm.info": { role: "observe", instead: "vm info" },
  "GET vm.counters": { role: "observe", instead: null },
  "PUT vm.pause": { role: "operate", instead: "vm pause" },
  "PUT vm.resume": { role: "operate", instead: "vm resume" },
  "PUT vm.power-button": { role: "operate", instead: "vm power-button" },
  "PUT vm.nmi": { role: "operate", instead: "vm nmi" },
  "PUT vm.reboot": { role: "operate", instead: "vm reboot" },
  "PUT vm.resize": { role: "apply", instead: "vm resize" },
  "PUT vm.resize-disk": { role: "apply", instead: "vm resize" },
  "PUT vm.resize-zone": { role: "apply", instead: null },
  "PUT vm.add-device": { role: "apply", instead: null },
  "PUT vm.add-user-device": { role: "apply", instead: null },
  "PUT vm.add-disk": { role: "apply", instead: "vm attach" },
  "PUT vm.add-fs": { role: "apply", instead: null },
  "PUT vm.add-generic-vhost-user": { role: "apply", instead: null },
  "PUT vm.add-pmem": { role: "apply", instead: null },
  "PUT vm.add-net": { role: "apply", instead: "vm attach" },
  "PUT vm.add-vdpa": { role: "apply", instead: null },
  "PUT vm.add-vsock": { role: "apply", instead: null },
  "PUT vm.remove-device": { role: "apply", instead: "vm detach" },
  "PUT vm.snapshot": { role: "apply", instead: "vm snapshot" },
  "PUT vm.create": { role: "admin", instead: "vm create" },
  "PUT vm.boot": { role: "admin", instead: "vm boot" },
  "PUT vm.shutdown": { role: "admin", instead: "vm shutdown" },
  "PUT vm.delete": { role: "admin", instead: "vm delete" },
  "PUT vm.restore": { role: "admin", instead: "vm restore" },
  "PUT vm.coredump": { role: "admin", instead: "vm coredump" },
  "PUT vm.receive-migration": { role: "admin", instead: "vm migrate-receive" },
  "PUT vm.send-migration": { role: "admin", instead: "vm migrate-send" },
  "PUT vmm.shutdown": { role: "admin", instead: "vm shutdown" },
};

export function hypervisorCall(method: string, path: string): HypervisorCall {
  const key = `${method} ${path}`;
  return (Object.hasOwn(CALLS, key) ? CALLS[key] : undefined) ?? { role: "admin", instead: null };
}
