/**
 * How a double misbehaves. Knobs come as JSON in the environment variable CHD_KNOBS (written into the launcher), the
 * guest's also as `double-guest=name[:value],…` in `payload.cmdline`, so that one VM of many can be the odd one.
 */

export interface GuestKnobs {
  /** Between two COUNTER lines; 0: the guest does not count. */
  readonly counterMs: number;
  /** From the power button to power-off; null: it takes no notice. */
  readonly buttonMs: number | null;
  /** From the request to eject a device to its end; null: it never ejects. */
  readonly ejectMs: number | null;
  /** From the request to give a vCPU back to its end; null: it keeps it. */
  readonly offlineMs: number | null;
  /** Ends the process so long after the start of the guest, as a crash would. */
  readonly dieAfterMs: number | null;
  /** Resets itself so long after each start, as a guest does that triple-faults while it boots. */
  readonly resetAfterMs: number | null;
  readonly dieBy: "SIGKILL" | "SIGSEGV" | "SIGSYS" | "exit 0" | "exit 1";
}

export interface MigrationKnobs {
  readonly iterations: number;
  readonly iterationMs: number;
  /** What goes in the first of them, and in each further one. */
  readonly memoryKiB: number;
  readonly dirtyKiB: number;
  /** Where the receiver answers with an error, or either side's connection breaks. */
  readonly failAt: "config" | "state" | "complete" | "cut before state" | "cut before complete" | null;
}

export interface Knobs {
  readonly guest: GuestKnobs;
  readonly migration: MigrationKnobs;
  /** As `vmm.ping` and `-v --version` list them; `guest_debug` brings vm.coredump. */
  readonly features: readonly string[];
  /** What --version prints instead of the version; for probes that must cope. */
  readonly versionText: string | null;
  /** Before the API socket appears. */
  readonly startMs: number;
  /** Ends at once with this code and a word on stderr. */
  readonly startFails: number | null;
  /** Fails at the start where /dev/kvm cannot be opened, as the real one does. */
  readonly needsKvm: boolean;
  /** Route → how long its answer takes longer; everything else waits behind it. */
  readonly slow: Readonly<Record<string, number>>;
  /** Routes that never answer, and block all others. */
  readonly hang: readonly string[];
  /** Each event is written so much later. */
  readonly eventMs: number;
  /** Events (`vm/booted`) that are lost, as when the reader's pipe was full. */
  readonly loseEvents: readonly string[];
  /** Events of which only the first half is written. */
  readonly cutEvents: readonly string[];
}

const DEFAULT_KNOBS: Knobs = {
  guest: {
    counterMs: 200,
    buttonMs: 50,
    ejectMs: 20,
    offlineMs: 20,
    dieAfterMs: null,
    resetAfterMs: null,
    dieBy: "SIGKILL",
  },
  migration: { iterations: 2, iterationMs: 20, memoryKiB: 256, dirtyKiB: 8, failAt: null },
  features: ["io_uring", "kvm"],
  versionText: null,
  startMs: 0,
  startFails: null,
  needsKvm: false,
  slow: {},
  hang: [],
  eventMs: 0,
  loseEvents: [],
  cutEvents: [],
};

/** What a test sets; the rest stays as it is. */
export interface KnobChanges extends Partial<Omit<Knobs, "guest" | "migration">> {
  readonly guest?: Partial<GuestKnobs>;
  readonly migration?: Partial<MigrationKnobs>;
}

export function readKnobs(json: string | undefined): Knobs {
  const over = json === undefined || json === "" ? {} : (JSON.parse(json) as KnobChanges);
  const unknown = Object.keys(over).filter((name) => !(name in DEFAULT_KNOBS));
  if (unknown.length > 0) throw new Error(`the double has no knob ${unknown.join(", ")}`);
  return {
    ...DEFAULT_KNOBS,
    ...over,
    guest: { ...DEFAULT_KNOBS.guest, ...over.guest },
    migration: { ...DEFAULT_KNOBS.migration, ...over.migration },
  };
}

/** Words of the kernel's command line: `double-guest=ignore-button,never-eject,counter-ms:50`. */
export function guestKnobsOf(cmdline: string | null | undefined, otherwise: GuestKnobs): GuestKnobs {
  const words = /(?:^|\s)double-guest=(\S*)/.exec(cmdline ?? "")?.[1]?.split(",") ?? [];
  let knobs = otherwise;
  for (const word of words.filter((each) => each !== "")) knobs = { ...knobs, ...guestKnob(word) };
  return knobs;
}

function guestKnob(word: string): Partial<GuestKnobs> {
  const [name, value] = word.split(":");
  switch (name) {
    case "ignore-button":
      return { buttonMs: null };
    case "button-ms":
      return { buttonMs: Number(value) };
    case "never-eject":
      return { ejectMs: null };
    case "eject-ms":
      return { ejectMs: Number(value) };
    case "keep-vcpus":
      return { offlineMs: null };
    case "offline-ms":
      return { offlineMs: Number(value) };
    case "counter-ms":
      return { counterMs: Number(value) };
    case "reset-after-ms":
      return { resetAfterMs: Number(value) };
    case "die-after-ms":
      return { dieAfterMs: Number(value) };
    default:
      throw new Error(`the double's guest does not know ${word}`);
  }
}
