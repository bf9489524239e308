/** The serial consoles of all guests: lifecycle says when a guest's line begins and ends, viewers come through `http/console`. */
import type { VmName } from "../../model/names.ts";
import { Console, type ConsoleOptions, type LinePlace } from "./console.ts";
import type { GuestLine, SerialLines } from "./serial-lines.ts";

export class Consoles implements SerialLines, AsyncDisposable {
  readonly #options: ConsoleOptions;
  readonly #consoles = new Map<VmName, Console>();
  #isStopping = false;

  constructor(options: ConsoleOptions) {
    this.#options = options;
  }

  begin(name: VmName, place: LinePlace): GuestLine {
    if (this.#isStopping) return { end: async () => {} };
    const end = this.of(name).begin(place);
    return {
      end: async () => {
        await end();
        this.forgetIdle(name);
      },
    };
  }

  /** Made when there is none. Who is done with it calls `forgetIdle`. */
  of(name: VmName): Console {
    const known = this.#consoles.get(name);
    if (known !== undefined) return known;
    const made = new Console(this.#options);
    this.#consoles.set(name, made);
    return made;
  }

  forgetIdle(name: VmName): void {
    if (this.#consoles.get(name)?.isIdle) this.#consoles.delete(name);
  }

  /** Lets go of every line; the guests go on. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#isStopping = true;
    await Promise.all([...this.#consoles.values()].map((console) => console.cut()));
  }
}
