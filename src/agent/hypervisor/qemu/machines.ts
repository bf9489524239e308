/** Which machines this QEMU has, asked of itself: the one that guests are given, and the older ones that it can take in. */
import { runTool } from "../run-tool.ts";

export interface Machines {
  /** What `q35` stands for: `pc-q35-7.2`. */
  readonly machine: string;
  /** All versions of it; empty: QEMU does not say. */
  readonly machines: readonly string[];
  /** The most CPUs that it has; null: QEMU does not say. */
  readonly cpuMax: number | null;
}

export async function askForMachines(executable: string, signal: AbortSignal): Promise<Machines> {
  const args = ["-machine", "none", "-nodefaults", "-no-user-config", "-display", "none", "-qmp", "stdio"];
  const input = ["qmp_capabilities", "query-machines", "quit"]
    .map((execute) => `${JSON.stringify({ execute })}\n`)
    .join("");
  const { stdout } = await runTool(executable, args, { signal, input });
  return parseMachines(stdout);
}

interface Machine {
  readonly name?: unknown;
  readonly alias?: unknown;
  readonly "cpu-max"?: unknown;
}

/** Of what QMP said, line by line. */
export function parseMachines(text: string): Machines {
  for (const line of text.split("\n")) {
    const answer = readAnswer(line);
    if (!Array.isArray(answer)) continue;
    const machines = answer as Machine[];
    const q35 = machines.find(({ name, alias }) => alias === "q35" || name === "q35");
    const max = q35?.["cpu-max"];
    return {
      machine: typeof q35?.name === "string" ? q35.name : "q35",
      machines: machines
        .flatMap(({ name }) => (typeof name === "string" && /^pc-q35-/.test(name) ? [name] : []))
        .sort(),
      cpuMax: typeof max === "number" && max >= 1 ? max : null,
    };
  }
  return { machine: "q35", machines: [], cpuMax: null };
}

function readAnswer(line: string): unknown {
  try {
    return (JSON.parse(line) as { readonly return?: unknown }).return;
  } catch {
    return null;
  }
}
