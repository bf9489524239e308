/**
 * Which guest of this node has which disk: two that write to one destroy it, and no image format, file system or network
 * server keeps them from it.
 *
 * Invariants: between looking and claiming nobody else claims. A claim lives as long as its guest, or as the operation that made
 * it: what is off claims nothing, so that a disk can be looked at from another VM while its own is off.
 */
import type { Slot } from "./slot.ts";

export interface DiskUse {
  /** As the VM calls it. */
  readonly disk: string;
  /** `storage/disk-identity.ts`. */
  readonly identities: readonly string[];
  readonly readonly: boolean;
}

export interface Conflict {
  readonly slot: Slot;
  readonly theirs: DiskUse;
  readonly ours: DiskUse;
}

export class DiskClaims {
  readonly #claims = new Map<Slot, readonly DiskUse[]>();
  readonly #unsure = new Set<Slot>();
  /** Of all VMs of the node, off ones too. */
  readonly slots: ReadonlyMap<string, Slot>;

  constructor(slots: ReadonlyMap<string, Slot>) {
    this.slots = slots;
  }

  /** `held`: what the guest has until then. Null: all are this VM's now, instead of what it had claimed. Else nothing is changed. */
  claim(slot: Slot, wanted: readonly DiskUse[], held: readonly DiskUse[]): Conflict | null {
    for (const [index, ours] of wanted.entries())
      for (const theirs of wanted.slice(0, index)) if (clash(ours, theirs)) return { slot, theirs, ours };
    for (const [other, claimed] of this.#claims) {
      if (other === slot) continue;
      if (!isLive(other)) {
        this.#claims.delete(other);
        continue;
      }
      for (const ours of wanted)
        for (const theirs of claimed) if (clash(ours, theirs)) return { slot: other, theirs, ours };
    }
    this.note(slot, [...wanted, ...held]);
    return null;
  }

  /** What a guest has, whether it should or not. */
  note(slot: Slot, uses: readonly DiskUse[]): void {
    this.#claims.set(slot, uses);
    this.#unsure.delete(slot);
  }

  /** As `note`, and to be looked at again. */
  noteForNow(slot: Slot, uses: readonly DiskUse[]): void {
    this.#claims.set(slot, uses);
    this.#unsure.add(slot);
  }

  /** Guests of which nobody has said yet for sure what they have: an earlier agent started them. */
  unknown(): readonly Slot[] {
    return [...this.slots.values()].filter(
      (slot) => slot.guest !== null && (!this.#claims.has(slot) || this.#unsure.has(slot)),
    );
  }
}

const isLive = ({ guest, inFlight, untold }: Slot): boolean => guest !== null || inFlight.size > 0 || untold !== null;

const clash = (one: DiskUse, other: DiskUse): boolean =>
  !(one.readonly && other.readonly) && one.identities.some((identity) => other.identities.includes(identity));
