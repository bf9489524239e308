/** Counts what passes, tells how far it is, and keeps it from being faster than asked. */
import { setTimeout as sleep } from "node:timers/promises";
import type { MigrationProgress } from "../../../../model/observed-state.ts";
import { COMMAND, type Piece } from "./frames.ts";

const MIB = 1024 * 1024;
/** For people and plans: more often nobody looks. */
const TELL_MS = 20;

export class Meter {
  readonly #tell: (now: MigrationProgress) => void;
  readonly #bytesPerMs: number | null;
  #sent = 0;
  #remaining: number | null = null;
  #begunMs: number | null = null;
  #toldMs = 0;
  #isState = false;
  /** Of memory; `tookMs`: the one before it. */
  #pass: { readonly begunMs: number; bytes: number; readonly tookMs: number | null } | null = null;
  #dirtyPerSecond: number | null = null;
  /** When the last pass over memory began: what is sent from then on is sent while the guest stands still. */
  lastPassMs: number | null = null;

  constructor(bandwidthMiBps: number | null, tell: (now: MigrationProgress) => void) {
    this.#tell = tell;
    this.#bytesPerMs = bandwidthMiBps === null ? null : (bandwidthMiBps * MIB) / 1000;
  }

  get sentBytes(): number {
    return this.#sent;
  }

  /** Per second, since memory began to flow. */
  get rate(): number {
    return this.#begunMs === null
      ? 0
      : Math.round((this.#sent / Math.max(1, performance.now() - this.#begunMs)) * 1000);
  }

  get dirtyRate(): number | null {
    return this.#dirtyPerSecond;
  }

  /** All of its memory has gone. */
  get isHandingOver(): boolean {
    return this.#isState;
  }

  take(piece: Exclude<Piece, { readonly kind: "end" }>): void {
    const now = performance.now();
    this.#sent += piece.bytes.length;
    if (piece.command === COMMAND.state) this.#isState = true;
    if (piece.command === COMMAND.memory) {
      this.#begunMs ??= now;
      if (piece.kind === "header") this.#beginPass(now);
      else {
        if (this.#pass !== null) this.#pass.bytes += piece.bytes.length;
        this.#remaining = piece.left;
      }
    }
    if (now - this.#toldMs < TELL_MS && piece.kind !== "header") return;
    this.#toldMs = now;
    this.#tell({
      stage: this.#isState ? "handing-over" : "memory",
      sentBytes: this.#sent,
      remainingBytes: this.#remaining,
      bytesPerSecond: this.rate,
      dirtyBytesPerSecond: this.#dirtyPerSecond,
    });
  }

  /** After each piece: waits for as long as it was too fast. */
  async pace(signal: AbortSignal): Promise<void> {
    if (this.#bytesPerMs === null || this.#begunMs === null) return;
    const aheadMs = this.#sent / this.#bytesPerMs - (performance.now() - this.#begunMs);
    if (aheadMs > 1) await sleep(aheadMs, undefined, { signal });
  }

  /** What the guest wrote during one pass is what the next one sends. */
  #beginPass(now: number): void {
    const before = this.#pass;
    if (before?.tookMs) this.#dirtyPerSecond = Math.round((before.bytes / before.tookMs) * 1000);
    this.#pass = { begunMs: now, bytes: 0, tookMs: before === null ? null : Math.max(1, now - before.begunMs) };
    this.lastPassMs = now;
  }
}
