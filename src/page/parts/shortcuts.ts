/** Keys that do something wherever one is, but for where text is typed. Views add theirs while they are shown. */
import { signal } from "@preact/signals";
import { useEffect } from "preact/hooks";

export interface Shortcut {
  /** As `KeyboardEvent.key` has it; two with a space between are pressed one after the other. */
  readonly keys: string;
  readonly what: string;
  readonly act: () => void;
}

/** In the order in which they came: of two with the same keys the later one acts. */
export const shortcuts = signal<readonly Shortcut[]>([]);

const BETWEEN_KEYS_MS = 1_200;
let before: { readonly key: string; readonly at: number } | null = null;

export function listenForShortcuts(): void {
  addEventListener("keydown", (event) => {
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || takesText(event.target)) return;
    const first = before !== null && event.timeStamp - before.at < BETWEEN_KEYS_MS ? before.key : null;
    const found =
      shortcuts.value.findLast(({ keys }) => first !== null && keys === `${first} ${event.key}`) ??
      shortcuts.value.findLast(({ keys }) => keys === event.key);
    before = found === undefined ? { key: event.key, at: event.timeStamp } : null;
    if (found === undefined) return;
    event.preventDefault();
    found.act();
  });
}

/** While the component that calls it is shown. */
export function useShortcuts(own: readonly Shortcut[]): void {
  useEffect(() => {
    shortcuts.value = [...shortcuts.value, ...own];
    return () => {
      shortcuts.value = shortcuts.value.filter((each) => !own.includes(each));
    };
  }, []);
}

function takesText(target: EventTarget | null): boolean {
  if (!(target instanceof HTMLElement)) return false;
  return (
    target.isContentEditable ||
    target.closest("input, textarea, select, .xterm, [data-takes-keys]") !== null ||
    (document.querySelector("dialog[open]") !== null && target.closest("dialog") === null)
  );
}
