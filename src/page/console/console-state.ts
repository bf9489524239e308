/** How it stands with a console that somebody looks at. */
export interface ConsoleState {
  readonly kind: "opening" | "open" | "guest-off" | "closed";
  /** It may be looked at, not typed into. */
  readonly readonly: boolean;
  /** What was said last, for people. */
  readonly message: string | null;
}
