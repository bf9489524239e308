/** Its serial line. What draws it is fetched when somebody asks for it: nothing else needs it. */
import { useEffect, useRef, useState } from "preact/hooks";
import type { ConsoleState } from "../console/console-state.ts";
import type { OpenConsole } from "../console/open-console.ts";
import { Refused } from "../data/http.ts";
import { may } from "../data/session.ts";
import { announce } from "../parts/announce.tsx";
import { Trouble } from "../parts/message.tsx";
import type { Sign } from "../parts/signs.ts";
import { State } from "../parts/state.tsx";

const SIGNS: Readonly<Record<ConsoleState["kind"], Sign>> = {
  opening: { tone: "busy", shape: "arrow", word: "connecting" },
  open: { tone: "good", shape: "disc", word: "connected" },
  "guest-off": { tone: "off", shape: "ring", word: "the guest is off" },
  closed: { tone: "bad", shape: "triangle", word: "not connected" },
};

export function ConsoleTab({ path, vm }: { readonly path: string; readonly vm: string }) {
  const place = useRef<HTMLDivElement>(null);
  const [state, setState] = useState<ConsoleState>({ kind: "opening", readonly: !may("operate"), message: null });
  const [failure, setFailure] = useState<Refused | null>(null);
  const [turn, setTurn] = useState(0);
  useEffect(() => {
    let isGone = false;
    let opened: OpenConsole | null = null;
    setFailure(null);
    import("../console/open-console.ts")
      .then(({ openConsole }) => {
        if (isGone || place.current === null) return;
        opened = openConsole(place.current, {
          path: `${path}/console`,
          vm,
          mayType: may("operate"),
          onState: setState,
        });
      })
      .catch(() => setFailure(new Refused("the console's script could not be fetched", { hint: "reload the page" })));
    return () => {
      isGone = true;
      opened?.close();
    };
  }, [path, vm, turn]);
  useEffect(() => announce(`Console: ${SIGNS[state.kind].word}`), [state.kind]);
  return (
    <div class="console">
      <div class="over-list">
        <State sign={SIGNS[state.kind]} />
        <span class="tag tone-note">{state.readonly ? "you may look, not type" : "you may type"}</span>
        {state.message === null ? null : <span class="hint clip">{state.message}</span>}
        {state.kind === "closed" ? (
          <button type="button" onClick={() => setTurn(turn + 1)}>
            Connect again
          </button>
        ) : null}
        <span class="hint">Ctrl + Shift + Esc leaves the console.</span>
      </div>
      {failure === null ? null : <Trouble refused={failure} />}
      <div class="console-place" ref={place} data-takes-keys />
    </div>
  );
}
