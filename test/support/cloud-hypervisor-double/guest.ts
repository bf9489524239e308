/**
 * The guest inside: speaks on the serial line as the tiny guest of this repository does (TINY-START, COUNTER n, POWER-BUTTON,
 * BYE; echoes what is typed; `q` powers it off), and does as it is told: by its knobs, by lines that begin with `!` on the
 * serial line, and by the control socket.
 */
import type { GuestKnobs } from "./knobs.ts";
import type { SerialLine } from "./serial-line.ts";

export interface GuestHost {
  readonly serial: SerialLine;
  powersOff(): void;
  resets(): void;
  panics(): void;
}

export interface GuestState {
  readonly counter: number;
}

export interface Guest {
  /** From power-on, or, with a state, from where it stood. */
  start(from: GuestState | null): void;
  pause(): void;
  resume(): void;
  /** Power cut: nothing of it runs any more. */
  stop(): void;
  pressButton(): void;
  /** Asks the guest to let a device go, or a vCPU; `done` is called when it did, if ever. */
  eject(done: () => void): void;
  offlineVcpu(done: () => void): void;
  /** One command; the answer. */
  command(line: string): string;
  state(): GuestState;
}

/** So much is written at once by `flood`. */
const FLOOD_PIECE = 64 * 1024;

export function createGuest(first: GuestKnobs, host: GuestHost): Guest {
  let knobs = first;
  let counter = 0;
  let isRunning = false;
  let heard = "";
  const tasks = new Set<{ readonly ms: number; readonly run: () => void; timer: NodeJS.Timeout | null }>();

  /** Runs in guest time: not while it is paused, never after it is stopped. */
  const later = (ms: number, run: () => void): void => {
    const task: { readonly ms: number; readonly run: () => void; timer: NodeJS.Timeout | null } = {
      ms,
      run,
      timer: null,
    };
    tasks.add(task);
    if (isRunning) arm(task);
  };
  const arm = (task: { readonly ms: number; readonly run: () => void; timer: NodeJS.Timeout | null }): void => {
    task.timer = setTimeout(() => {
      tasks.delete(task);
      task.run();
    }, task.ms);
  };
  const disarm = (): void => {
    for (const task of tasks) if (task.timer !== null) clearTimeout(task.timer);
  };
  const say = (text: string): void => host.serial.write(text);
  const tick = (): void => {
    if (knobs.counterMs === 0) return;
    say(`COUNTER ${counter++}\n`);
    later(knobs.counterMs, tick);
  };
  const powerOff = (): void => {
    say("BYE\n");
    host.powersOff();
  };
  const flood = (left: number): void => {
    if (host.serial.waiting < 4 * FLOOD_PIECE) {
      say("x".repeat(Math.min(left, FLOOD_PIECE) - 1).concat("\n"));
      left -= FLOOD_PIECE;
    }
    if (left > 0) later(0, () => flood(left));
  };
  const die = (how: GuestKnobs["dieBy"]): never => {
    if (how === "exit 0" || how === "exit 1") process.exit(Number(how.slice(-1)));
    process.kill(process.pid, how);
    throw new Error("a signal that is still on its way");
  };

  const commands: Readonly<Record<string, (value: string) => void>> = {
    "power-off": powerOff,
    reboot: () => host.resets(),
    "triple-fault": () => host.resets(),
    panic: () => host.panics(),
    say: (text) => say(`${text}\n`),
    burst: (lines) => say(Array.from({ length: Number(lines) }, (_, index) => `LINE ${index}\n`).join("")),
    flood: (bytes) => flood(Number(bytes)),
    "stop-counting": () => {
      knobs = { ...knobs, counterMs: 0 };
    },
    "ignore-button": () => {
      knobs = { ...knobs, buttonMs: null };
    },
    "never-eject": () => {
      knobs = { ...knobs, ejectMs: null };
    },
    "keep-vcpus": () => {
      knobs = { ...knobs, offlineMs: null };
    },
    "be-good": () => {
      knobs = { ...first, buttonMs: 0, ejectMs: 0, offlineMs: 0 };
    },
    die: (how) => die(how as GuestKnobs["dieBy"]),
  };
  const command = (line: string): string => {
    const [name = "", ...rest] = line.trim().split(" ");
    const run = commands[name];
    if (run === undefined)
      return `error: the guest does not know ${name}; it knows ${Object.keys(commands).join(", ")}`;
    run(rest.join(" "));
    return "ok";
  };

  const hear = (bytes: Buffer): void => {
    for (const character of bytes.toString("latin1")) {
      if (!isRunning) return;
      if (heard === "" && character === "q") {
        powerOff();
        return;
      }
      say(character);
      if (heard === "" && character !== "!") continue;
      if (character !== "\n" && character !== "\r") {
        heard += character;
        continue;
      }
      const answer = command(heard.slice(1));
      heard = "";
      if (answer !== "ok") say(`${answer}\n`);
    }
  };

  return {
    start(from) {
      host.serial.attach(hear);
      isRunning = true;
      counter = from?.counter ?? 0;
      if (from === null) say("TINY-START\n");
      tick();
      if (knobs.resetAfterMs !== null) later(knobs.resetAfterMs, () => host.resets());
      if (knobs.dieAfterMs !== null) later(knobs.dieAfterMs, () => die(knobs.dieBy));
    },
    pause() {
      isRunning = false;
      disarm();
    },
    resume() {
      isRunning = true;
      for (const task of tasks) arm(task);
    },
    stop() {
      isRunning = false;
      disarm();
      tasks.clear();
    },
    pressButton() {
      // Pressed while it stands still, it notices when it runs again.
      later(0, () => {
        say("POWER-BUTTON\n");
        if (knobs.buttonMs !== null) later(knobs.buttonMs, powerOff);
      });
    },
    eject(done) {
      if (knobs.ejectMs !== null) later(knobs.ejectMs, done);
    },
    offlineVcpu(done) {
      if (knobs.offlineMs !== null) later(knobs.offlineMs, done);
    },
    command,
    state: () => ({ counter }),
  };
}
