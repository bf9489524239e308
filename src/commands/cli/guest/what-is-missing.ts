/** What a VM lacks of what somebody waits for, in words; null: nothing. */
import { createConnection } from "node:net";
import type { VmReport } from "../../../model/observed-state.ts";
import { waysTo } from "./ways.ts";

export type Wanted = "ready" | "address" | "ssh" | "stopped";

/** A guest that is emulated and busy takes its time to say who it is. */
const BANNER_MS = 5_000;

export async function whatIsMissing(
  wanted: Wanted,
  vm: VmReport,
  { address, port }: { readonly address: string; readonly port: number },
  signal: AbortSignal,
): Promise<string | null> {
  const off = vm.phase === "stopped" || vm.phase === "crashed";
  if (wanted === "stopped") return off ? null : `it is ${vm.phase}`;
  if (vm.phase !== "running") return `it is ${vm.phase}${vm.reason === null ? "" : ` (${vm.reason})`}`;
  if (wanted === "ready")
    return vm.ready === false || (vm.spec.ready !== null && vm.ready === null) ? "its probe has not succeeded" : null;
  if ((vm.addresses ?? []).length === 0) return "nothing is known of where it is";
  if (wanted === "address") return null;
  // Through its node only OpenSSH could tell.
  for (const way of waysTo(vm, port, address)) if (way.jump === null && (await speaksSsh(way, signal))) return null;
  return `no SSH server answered at port ${port}`;
}

/** A forward takes connections as soon as its guest's process runs: only what is said there tells. Rejects only with the signal's reason. */
function speaksSsh(
  { host, port }: { readonly host: string; readonly port: number },
  signal: AbortSignal,
): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const socket = createConnection({ host, port });
    const end = (answer: () => void) => {
      clearTimeout(deadline);
      signal.removeEventListener("abort", onAbort);
      socket.destroy();
      answer();
    };
    const onAbort = () => end(() => reject(signal.reason));
    const deadline = setTimeout(() => end(() => resolve(false)), BANNER_MS);
    signal.addEventListener("abort", onAbort, { once: true });
    socket.once("data", (bytes) => end(() => resolve(bytes.toString("latin1").startsWith("SSH-"))));
    socket.once("error", () => end(() => resolve(false)));
    socket.once("close", () => end(() => resolve(false)));
  });
}
