/** What `vm logs --json` prints (`schemas/vm-log.schema.json`). */
export interface VmLog {
  readonly kind: "VmLog";
  readonly version: 1;
  readonly vm: string;
  readonly node: string;
  /** Oldest first, as the guest wrote them, without their ends. */
  readonly lines: readonly string[];
}

export function toVmLog(vm: string, node: string, text: string): VmLog {
  const lines = text.split(/\r*\n/);
  // What ends with a line's end has no line after it.
  if (lines.at(-1) === "") lines.pop();
  return { kind: "VmLog", version: 1, vm, node, lines };
}
