/** What befell a guest, with its last words: for the report of a VM, and for who looks at it at night. */
import { join } from "node:path";
import type { GuestEvent, GuestEventKind } from "../../../model/observed-state.ts";
import type { VmRecord } from "../../store/vm-record.ts";
import type { Parts } from "../parts/parts.ts";
import { runningInput } from "./guest-input.ts";
import { lastLines, lastWords } from "./logs.ts";

/** A screenful: the end of a kernel's panic, or of a hypervisor's complaint. */
const LINES = 20;

/** `vm` is the record while the guest stands in it. */
export async function guestEvent(
  parts: Parts,
  vm: VmRecord,
  kind: GuestEventKind,
  message: string,
): Promise<GuestEvent> {
  const { logFolder } = parts.store.paths(vm.name);
  const sizes = vm.guest?.logSizes ?? {};
  const outputFile = await outputFileOf(parts, vm);
  const [console, log] = await Promise.all([
    lastLines(join(logFolder, "console.log"), sizes, LINES),
    outputFile === null ? [] : lastLines(outputFile, sizes, LINES),
  ]);
  return { kind, at: parts.clock.now(), message, console, log };
}

/** What its hypervisor's process wrote last, on one line; empty when it said nothing, or when nobody can say where it wrote to. */
export async function processWords(parts: Parts, vm: VmRecord): Promise<string> {
  const outputFile = await outputFileOf(parts, vm);
  return outputFile === null ? "" : lastWords(outputFile, vm.guest?.logSizes ?? {});
}

/** Null: the guest has no process, or nobody can say where it wrote to any more. */
async function outputFileOf(parts: Parts, vm: VmRecord): Promise<string | null> {
  const spec = vm.guest?.bootedSpec ?? vm.spec;
  try {
    const input = await runningInput(parts, vm.name, spec);
    return parts.hypervisors.get(spec.hypervisor)?.compile(input)?.outputFile ?? null;
  } catch {
    return null;
  }
}
