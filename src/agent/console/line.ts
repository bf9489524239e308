/** One life of a guest on its serial line, whatever the line is made of. */

export interface Line {
  /** From now on it is read as soon as it is there, until the end. */
  open(): void;
  readonly isConnected: boolean;
  /** `wait`: the guest does not read, `writable` will be called. `off`: nobody is there to read. */
  write(bytes: Buffer): "written" | "wait" | "off";
  /** Stops reading. */
  hold(): void;
  release(): void;
  /** The guest has ended. Resolves when its last words were read. */
  end(): Promise<void>;
  /** The agent stops, the guest goes on. */
  cut(): Promise<void>;
}

export interface LineListener {
  /**
   * `times`: how often it was connected in this life, this time included. `position`: what is received from now on stands in
   * the log from this byte on; left out: it is not known.
   */
  connected(times: number, position?: number): void;
  received(bytes: Buffer): void;
  /** What could not be written may be tried again, or never be. */
  writable(): void;
  /** The hypervisor serves the line no longer: nothing that the guest says from now on is heard, until it starts anew. */
  lost(): void;
}
