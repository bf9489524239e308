/** Somebody who looks at a guest's serial line. What it is made of (a WebSocket) is `http/console`'s to know. */

export interface Viewer {
  /** `written`: called when these bytes have left the process, or never will. */
  send(bytes: Buffer, written: () => void): void;
  /** Bytes given to it that have not left yet. */
  backlog(): number;
  /** It does not read: cut it off without a word, since it would not read that either. */
  drop(): void;
  tell(event: LineEvent): void;
}

/**
 * - `guest-started`: a guest runs, and its line is there.
 * - `rebooted`: the same hypervisor process has made the line anew, which it does when its guest starts over.
 * - `guest-off`: there will be no more output before the next `guest-started`.
 * - `line-lost`: the guest runs, but its hypervisor moves no bytes of its line any more.
 */
export type LineEvent = "guest-started" | "rebooted" | "guest-off" | "line-lost";
