/** One guest and two places that it goes to and fro between, by whatever moves it. */

export interface Moved {
  /** As whoever asked for it waited: from the order until it runs there and nothing of it is left here. */
  readonly milliseconds: number;
  /** Without what comes before and after: from the order to send until the guest goes on. Null: not told. */
  readonly sendingMs: number | null;
  /** How long the guest stood still. Null: not told. */
  readonly downtimeMs: number | null;
}

export interface MovingPair extends AsyncDisposable {
  readonly name: string;
  /** To the other place. */
  move(signal: AbortSignal): Promise<Moved>;
}
