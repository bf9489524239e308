/**
 * How a rehearsed guest should behave, as annotations of its VM:
 *
 * | annotation (`noop.odorobo.dev/…`) | value | what happens |
 * | --- | --- | --- |
 * | `boot-delay` | duration | the boot takes that long |
 * | `shutdown-delay` | duration | the guest takes that long to power off after the power button |
 * | `ignore-power-button` | `true` | it never does: only the end of the grace stops it |
 * | `fail` | `create`, `boot`, `update`, `pause`, `resume`, `nmi`, `coredump`, `snapshot`, `receive`, `migrate`, `arrive`, `take`, several with commas | that act fails |
 * | `crash-after` | duration | it crashes that long after its boot |
 * | `poweroff-after` | duration | it powers itself off that long after its boot |
 * | `reboot-after` | duration | it reboots itself that long after its boot |
 * | `panic-after` | duration | its kernel panics that long after its boot, and it hangs |
 * | `ready-delay` | duration | its `ready.serial` text appears that long after its boot |
 * | `migrate-delay` | duration | it is on its way that long when two agents move it |
 * | `migrate-delay` | duration | it takes that long to be sent to another node |
 *
 * Durations: `250ms`, `90s`, `10m`, `1h`. What cannot be read counts as not said, and the guest's console says so.
 */
import type { VmSpec } from "../../../model/vm-spec.ts";

export const NOOP_PREFIX = "noop.odorobo.dev/";

const FAILABLE = [
  "create",
  "boot",
  "update",
  "pause",
  "resume",
  "nmi",
  "coredump",
  "snapshot",
  "receive",
  "migrate",
  "arrive",
  "take",
] as const;
export type Failable = (typeof FAILABLE)[number];

export interface NoopSettings {
  readonly bootDelayMs: number;
  readonly shutdownDelayMs: number;
  readonly ignorePowerButton: boolean;
  readonly fails: ReadonlySet<Failable>;
  readonly crashAfterMs: number | null;
  readonly powerOffAfterMs: number | null;
  readonly rebootAfterMs: number | null;
  readonly panicAfterMs: number | null;
  readonly readyDelayMs: number;
  readonly migrateDelayMs: number;
  /** What could not be read, as sentences. */
  readonly complaints: readonly string[];
}

export function readSettings(spec: VmSpec): NoopSettings {
  const complaints: string[] = [];
  const text = (key: string): string | null => spec.annotations[NOOP_PREFIX + key] ?? null;
  const duration = (key: string): number | null => {
    const value = text(key);
    if (value === null) return null;
    const milliseconds = parseDuration(value);
    if (milliseconds === null) complaints.push(`${NOOP_PREFIX}${key}: "${value}" is not a duration such as 2s`);
    return milliseconds;
  };
  const fails = new Set<Failable>();
  for (const word of (text("fail") ?? "").split(",").map((each) => each.trim())) {
    if (word === "") continue;
    const known = FAILABLE.find((each) => each === word);
    if (known) fails.add(known);
    else complaints.push(`${NOOP_PREFIX}fail: "${word}" is none of ${FAILABLE.join(", ")}`);
  }
  return {
    bootDelayMs: duration("boot-delay") ?? 0,
    shutdownDelayMs: duration("shutdown-delay") ?? 0,
    ignorePowerButton: text("ignore-power-button") === "true",
    fails,
    crashAfterMs: duration("crash-after"),
    powerOffAfterMs: duration("poweroff-after"),
    rebootAfterMs: duration("reboot-after"),
    panicAfterMs: duration("panic-after"),
    readyDelayMs: duration("ready-delay") ?? 0,
    migrateDelayMs: duration("migrate-delay") ?? 0,
    complaints,
  };
}

const UNITS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 };

function parseDuration(text: string): number | null {
  const match = /^(\d+)(ms|s|m|h)$/.exec(text);
  if (!match) return null;
  return Number(match[1]) * (UNITS[match[2] as string] as number);
}
