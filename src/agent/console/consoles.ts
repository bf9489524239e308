/** The serial consoles of all guests: lifecycle says when a guest's line begins and ends, viewers come through `http/console`. */
import type { VmName } from "../../model/names.ts";
import { Console, type ConsoleOptions, type LinePlace } from "./console.ts";
import { ConsoleSocket } from "./console-socket.ts";
import type { GuestLine, SerialLines } from "./serial-lines.ts";

export class Consoles implements SerialLines, AsyncDisposable {
  readonly #options: ConsoleOptions;
  readonly #consoles = new Map<VmName, Console>();
  /** How many visitors have taken each. */
  readonly #visits = new Map<Console, number>();
  readonly #sockets = new Set<ConsoleSocket>();
  #isStopping = false;

  constructor(options: ConsoleOptions) {
    this.#options = options;
  }

  begin(name: VmName, place: LinePlace): GuestLine {
    if (this.#isStopping) return { end: async () => {} };
    const console = this.#of(name);
    const end = console.begin(place);
    const socket = place.socket === undefined ? null : new ConsoleSocket(place.socket, console, this.#options.logger);
    if (socket !== null) this.#sockets.add(socket);
    return {
      end: async () => {
        await end();
        if (socket !== null) {
          this.#sockets.delete(socket);
          await socket.close();
        }
        this.#forgetIdle(name);
      },
    };
  }

  /** For a visitor, also while no guest runs. `leave` is called once. */
  visit(name: VmName): { readonly console: Console; readonly leave: () => void } {
    const console = this.#of(name);
    this.#visits.set(console, (this.#visits.get(console) ?? 0) + 1);
    const leave = () => {
      const others = (this.#visits.get(console) ?? 1) - 1;
      if (others > 0) this.#visits.set(console, others);
      else this.#visits.delete(console);
      this.#forgetIdle(name);
    };
    return { console, leave };
  }

  #of(name: VmName): Console {
    const known = this.#consoles.get(name);
    if (known !== undefined) return known;
    const made = new Console(this.#options);
    this.#consoles.set(name, made);
    return made;
  }

  #forgetIdle(name: VmName): void {
    const console = this.#consoles.get(name);
    if (console !== undefined && !console.hasGuest && !this.#visits.has(console)) this.#consoles.delete(name);
  }

  /** Lets go of every line; the guests go on. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#isStopping = true;
    await Promise.all([...this.#consoles.values()].map((console) => console.cut()));
    await Promise.all([...this.#sockets].map((socket) => socket.close()));
  }
}
