/**
 * What a changed cloudInit does to the guest. Its instance stays what it is until the manifest says another (ADR 0020), and of an
 * instance that it knows cloud-init takes little: what is promised here is what cloud-init does by its own defaults. Pure.
 */
import { sameValue } from "../model/fields.ts";
import type { CloudInit } from "../model/vm-spec.ts";

const FIRST_BOOT = "cloud-init's first boot runs again (users, keys, runcmd, write_files) and makes new SSH host keys";

/** For people, as the end of a sentence. */
export function cloudInitNote(from: CloudInit | null, to: CloudInit | null): string {
  if (to === null) return "the guest keeps what it was set up with";
  if (from === null) return "the guest gets its first seed at its next boot, and cloud-init sets it up by it";
  if (from.instance !== to.instance) return `the guest becomes a new instance at its next boot: ${FIRST_BOOT}`;
  const parts: string[] = [];
  const { networkConfig: _before, ...before } = from;
  const { networkConfig: _after, ...after } = to;
  if (!sameValue(before, after))
    parts.push(
      "of the same instance cloud-init runs bootcmd at each boot, and users, keys, runcmd and write_files no more",
    );
  if (from.networkConfig !== to.networkConfig) parts.push(NETWORK_NOTE);
  return `${parts.join("; ")}; another cloudInit.instance sets it up anew`;
}

/** Of an address or a network configuration. */
export const NETWORK_NOTE =
  "cloud-init takes its network from the seed for a new instance, and at each boot only where its updates.network.when says so";

/** Of a VM that is made anew and leaves its disks behind. */
export const NEW_DISKS_NOTE = `on its new disks ${FIRST_BOOT}`;
