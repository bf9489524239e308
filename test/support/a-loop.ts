/** A loop in a process of its own, and what it has said so far. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { builtProgram } from "./built.ts";
import "./own-cache.ts";
import { until } from "./until.ts";

export type LoopSaid =
  | { readonly said: "boundary"; readonly name: string; readonly number: number }
  | { readonly said: "revision"; readonly id: string; readonly standing: string }
  | { readonly said: "held"; readonly by: string | null; readonly run: string | null }
  | { readonly said: "asked"; readonly revision: string; readonly run: string | null }
  | { readonly said: "step"; readonly run: string; readonly title: string }
  | { readonly said: "trouble"; readonly message: string }
  | { readonly said: "told"; readonly kind: string };
type Of<Name extends LoopSaid["said"]> = Extract<LoopSaid, { readonly said: Name }>;

export interface ALoop extends AsyncDisposable {
  readonly pid: number;
  said(): readonly LoopSaid[];
  of<Name extends LoopSaid["said"]>(name: Name): readonly Of<Name>[];
  /** The first of which this holds, from the beginning. */
  until<Name extends LoopSaid["said"]>(name: Name, holds?: (said: Of<Name>) => boolean): Promise<Of<Name>>;
  readonly isOver: () => boolean;
  /** Resolves when it has died by itself or was killed. */
  readonly ended: Promise<unknown>;
  signal(signal: "SIGKILL" | "SIGTERM" | "SIGSTOP" | "SIGCONT"): void;
}

export interface LoopPlace {
  readonly folder: string;
  readonly state: string;
  readonly memory: string;
  /** The boundary at which it kills itself. */
  readonly dieAt?: number;
  readonly leaseSeconds?: number;
}

const DEADLINE_MS = 60_000;

/** `program`: where it was built, if not for vitest. */
export function aLoop({ folder, state, memory, dieAt = 0, leaseSeconds = 3 }: LoopPlace, program = PROGRAM()): ALoop {
  const child = spawn(process.execPath, [program, folder, state, memory, String(dieAt), String(leaseSeconds)], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  let text = "";
  let errors = "";
  child.stdout.setEncoding("utf8").on("data", (chunk: string) => {
    text += chunk;
  });
  child.stderr.setEncoding("utf8").on("data", (chunk: string) => {
    errors += chunk;
  });
  const ended = once(child, "close");
  const said = () =>
    text
      .split("\n")
      .slice(0, -1)
      .map((line) => JSON.parse(line) as LoopSaid);
  const isOver = () => child.exitCode !== null || child.signalCode !== null;
  return {
    pid: child.pid as number,
    said,
    of: <Name extends LoopSaid["said"]>(name: Name) => said().filter((each): each is Of<Name> => each.said === name),
    async until(name, holds = () => true) {
      const find = () =>
        said().find((each): each is Of<typeof name> => each.said === name && holds(each as Of<typeof name>));
      try {
        await until(`${name} is said`, () => find() !== undefined || isOver(), DEADLINE_MS);
      } catch (error) {
        throw new Error(`${String(error)}\n${text}\n${errors}`);
      }
      const found = find();
      if (found === undefined) throw new Error(`it ended without having said ${name}\n${text}\n${errors}`);
      return found;
    },
    isOver,
    ended,
    signal: (signal) => child.kill(signal),
    async [Symbol.asyncDispose]() {
      if (!isOver()) child.kill("SIGKILL");
      await ended;
    },
  };
}

const PROGRAM = () => builtProgram("loop-to-kill");
