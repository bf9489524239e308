/**
 * What an administrator wants done around the life of a VM: executables in `<folder>/<point>.d/`, run one after another in
 * the order of their names.
 *
 *   lifecycle/operations/hook-points.ts → [hooks.ts] → find-hooks.ts, run-hook.ts
 *
 * A hook is told on its standard input, as one JSON document (`HookInput`), what it is about. There is no shell, next to
 * nothing in its environment, and no secret: texts for cloud-init are never among what it is told.
 */
import { join } from "node:path";
import { OdoroboError } from "../../model/errors.ts";
import type { VmName } from "../../model/names.ts";
import type { VmSpec } from "../../model/vm-spec.ts";
import type { Logger } from "../../platform/logger.ts";
import { findHooks } from "./find-hooks.ts";
import { runHook } from "./run-hook.ts";

export const HOOK_ACTS = ["create", "boot", "stop", "delete", "migrate-send", "migrate-receive"] as const;
export type HookAct = (typeof HOOK_ACTS)[number];
export type HookPoint = `${"before" | "after"}-${HookAct}`;

/** What a hook is about. */
export interface HookSubject {
  readonly node: string;
  readonly vm: {
    readonly name: VmName;
    readonly fleet: string | null;
    readonly generation: number;
    readonly phase: string;
    readonly spec: VmSpec;
  };
  /** Null: nobody asked, the guest did it. */
  readonly operation: { readonly id: string; readonly kind: string } | null;
}

/** What stands on a hook's standard input. */
export type HookInput = { readonly point: HookPoint } & Omit<HookSubject, "vm"> & {
    readonly vm: Omit<HookSubject["vm"], "spec"> & { readonly spec: Omit<VmSpec, "cloudInit"> };
  };

export interface Hooks {
  /** Resolves when all of them have succeeded. The first that fails ends it: rejects with HOOK_FAILED, or with the signal's reason. */
  run(point: HookPoint, subject: HookSubject, signal: AbortSignal): Promise<void>;
  /** Whether anything is run there. Left out: nobody knows. */
  has?(point: HookPoint): Promise<boolean>;
}

export const NO_HOOKS: Hooks = { run: async () => {} };

export interface HookOptions {
  /** Absolute. One that is not there has no hooks. */
  readonly folder: string;
  readonly logger: Logger;
  /** For each hook. */
  readonly deadlineMs?: number;
}

/** As long as anything may take that a VM waits for: mapping a volume, telling a load balancer. */
const DEADLINE_MS = 30_000;

export function createHooks({ folder, logger, deadlineMs = DEADLINE_MS }: HookOptions): Hooks {
  return {
    has: (point) =>
      findHooks(join(folder, `${point}.d`)).then(
        (hooks) => hooks.length > 0,
        () => true,
      ),
    async run(point, subject, signal) {
      const found = await findHooks(join(folder, `${point}.d`));
      if (found.length === 0) return;
      const input = JSON.stringify(toInput(point, subject));
      for (const { path, problem } of found) {
        if (problem !== null)
          throw new OdoroboError("HOOK_FAILED", `hook ${path} is not run: ${problem}`, {
            hint: "put it right on the node, or take it away",
          });
        const { name } = subject.vm;
        const ended = await runHook({ path, input, point, vm: name, deadlineMs }, signal);
        for (const line of ended.output) logger.info({ vm: name, hook: path }, line);
        if (ended.failure === null) continue;
        const words = ended.output.slice(-3).join(" · ");
        throw new OdoroboError("HOOK_FAILED", `hook ${path} ${ended.failure}${words === "" ? "" : `: ${words}`}`, {
          hint: "what it wrote is in the agent's log on the node",
        });
      }
    },
  };
}

function toInput(point: HookPoint, { node, vm, operation }: HookSubject): HookInput {
  const { cloudInit: _, ...spec } = vm.spec;
  return { point, node, operation, vm: { ...vm, spec } };
}
