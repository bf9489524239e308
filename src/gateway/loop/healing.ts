/** Which VMs are as they should be again, after drift of them was told: no plan says so by itself, it only no longer speaks of them. */
import type { VmName } from "../../model/names.ts";
import type { LoopState, Told } from "../revision/loop-state.ts";

export class Healing {
  /** VMs whose drift was to be reverted when it was last told. */
  readonly #ill = new Set<VmName>();

  told(told: Told): void {
    if (told.kind !== "drift") return;
    for (const { name } of told.reverted) this.#ill.add(name);
    for (const { name } of told.left) this.#ill.delete(name);
  }

  /** Those of which no drift is left, each once. To be asked after each decision. */
  healed({ drift }: LoopState): readonly VmName[] {
    if (this.#ill.size === 0) return [];
    const stillIll = new Set(drift.map((each) => each.slice(each.indexOf(" ") + 1)));
    const healed = [...this.#ill].filter((name) => !stillIll.has(name));
    for (const name of healed) this.#ill.delete(name);
    return healed;
  }
}
