/** What QEMU said before it ended, in the words of the spec where it says which disk it could not open. Pure. */
import type { VmSpec } from "../../../model/vm-spec.ts";
import { diskId } from "./device-ids.ts";

/** `… -blockdev {…,"node-name":"disk-data",…}: Failed to connect to '10.0.0.1:10809': Connection refused`. */
const BLOCKDEV = /"node-name":"([^"]+)"[^{}]*\}: ([^·]+)/;

/** `… Could not set up host forwarding rule 'tcp:127.0.0.1:2222-:22'`. */
const FORWARD = /Could not set up host forwarding rule '(tcp|udp):([^:']*):(\d+)-/;

/** Null: it is about something else. `words`: lines joined by ` · `, perhaps without their beginning. */
export function explainStart({ disks }: VmSpec, words: string): string | null {
  const [, protocol, host, port] = FORWARD.exec(words) ?? [];
  if (port !== undefined)
    return `port ${port}${protocol === "udp" ? "/udp" : ""} at ${host} of its node cannot be opened: something else has it, or it takes root to open it`;
  const [, node, why] = BLOCKDEV.exec(words) ?? [];
  if (node === undefined || why === undefined) return null;
  const disk = disks.find(({ name }) => diskId(name) === node);
  if (disk === undefined) return null;
  const { origin } = disk;
  const what =
    origin.kind === "external" ? origin.url : origin.kind === "image" ? `over ${origin.path}` : "an empty volume";
  return `disk ${disk.name}: ${what}: ${why.trim()}`;
}
