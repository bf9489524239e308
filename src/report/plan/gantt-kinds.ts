/** How the charts draw and call what is done: a sign for the terminal, a colour, and words. */
import type { Bar } from "../../schedule/gantt.ts";

interface Kind {
  readonly sign: string;
  readonly colour: string;
  readonly text: string;
}

export const GANTT_KINDS: Readonly<Record<Bar["kind"], Kind>> = {
  live: { sign: "=", colour: "#2a6fb0", text: "moves live" },
  cold: { sign: "#", colour: "#b03a2e", text: "moves, down meanwhile" },
  park: { sign: "-", colour: "#7f9fc4", text: "moves live, to a node on its way" },
  aside: { sign: "~", colour: "#a58fc0", text: "makes way, and comes back" },
  stop: { sign: "x", colour: "#7b241c", text: "is stopped ahead of its move" },
  resize: { sign: "+", colour: "#2e8b57", text: "is resized" },
  arrive: { sign: "*", colour: "#1f7a4d", text: "is created" },
};
