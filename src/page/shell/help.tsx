import { signal } from "@preact/signals";
import { Dialog } from "../parts/dialog.tsx";
import { shortcuts, useShortcuts } from "../parts/shortcuts.ts";
import { goTo } from "../route.ts";

export const isHelpOpen = signal(false);

export function Help() {
  useShortcuts(EVERYWHERE);
  if (!isHelpOpen.value) return null;
  const known = new Map(shortcuts.value.map((each) => [each.keys, each.what]));
  return (
    <Dialog
      title="Keyboard shortcuts"
      onClose={() => {
        isHelpOpen.value = false;
      }}
    >
      <dl class="keys">
        {[...known, ...IN_LISTS].map(([keys, what]) => (
          <div key={keys}>
            <dt>
              {keys.split(" ").map((key) => (
                <kbd key={key}>{key}</kbd>
              ))}
            </dt>
            <dd>{what}</dd>
          </div>
        ))}
      </dl>
    </Dialog>
  );
}

const EVERYWHERE = [
  {
    keys: "?",
    what: "this list",
    act: () => {
      isHelpOpen.value = true;
    },
  },
  { keys: "g f", what: "all fleets", act: () => goTo("#/") },
  { keys: "g r", what: "all runs", act: () => goTo("#/runs") },
] as const;

const IN_LISTS: readonly (readonly [string, string])[] = [
  ["↑ ↓", "through the rows of a list; also Page Up and Down, Home, End"],
  ["Enter", "opens the current row"],
  ["Esc", "closes a dialog, leaves the search"],
];
