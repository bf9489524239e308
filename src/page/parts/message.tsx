/** What is said where something else would stand: nothing is there, it is on its way, or it was refused. */
import type { ComponentChildren } from "preact";
import type { Refused } from "../data/http.ts";
import { Glyph } from "./state.tsx";

/** `children`: the next step. */
export const Empty = ({ title, children }: { readonly title: string; readonly children?: ComponentChildren }) => (
  <div class="empty">
    <p class="empty-title">{title}</p>
    {children === undefined ? null : <div class="empty-next">{children}</div>}
  </div>
);

export const Loading = ({ what }: { readonly what: string }) => (
  <p class="loading" role="status">
    Reading {what} …
  </p>
);

export const Trouble = ({ refused, what }: { readonly refused: Refused; readonly what?: string }) => (
  <div class="trouble" role="alert">
    <span class="tone-bad">
      <Glyph shape="triangle" />
    </span>
    <div>
      <p>
        {what === undefined ? null : <strong>{what}: </strong>}
        {refused.message}
        {refused.code === null ? null : <code class="code"> {refused.code}</code>}
      </p>
      {refused.hint === null ? null : <p class="hint">{refused.hint}</p>}
    </div>
  </div>
);
