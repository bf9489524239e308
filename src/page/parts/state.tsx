/** A state as shape, colour and word. */
import type { Shape, Sign, Tone } from "./signs.ts";

const SHAPES: Readonly<Record<Shape, preact.JSX.Element>> = {
  disc: <circle cx="6" cy="6" r="4.5" fill="currentColor" />,
  half: (
    <>
      <circle cx="6" cy="6" r="4" fill="none" stroke="currentColor" stroke-width="1.6" />
      <path d="M6 2a4 4 0 0 1 0 8z" fill="currentColor" />
    </>
  ),
  ring: <circle cx="6" cy="6" r="3.8" fill="none" stroke="currentColor" stroke-width="1.6" />,
  bars: <path d="M3 2h2.200v8H3zM6.800 2H9v8H6.800z" fill="currentColor" />,
  arrow: <path d="M3 1.800 10 6l-7 4.200z" fill="currentColor" />,
  triangle: <path d="M6 1.200 11.200 10.500H.8z" fill="currentColor" />,
  cross: <path d="m2.500 2.500 7 7m0-7-7 7" stroke="currentColor" stroke-width="2" stroke-linecap="round" />,
  dashed: (
    <circle cx="6" cy="6" r="4" fill="none" stroke="currentColor" stroke-width="1.600" stroke-dasharray="2.500 1.700" />
  ),
  diamond: <path d="M6 .8 11.200 6 6 11.200.8 6z" fill="currentColor" />,
};

export const Glyph = ({ shape }: { readonly shape: Shape }) => (
  <svg class="glyph" viewBox="0 0 12 12" width="12" height="12" aria-hidden="true">
    {SHAPES[shape]}
  </svg>
);

export const State = ({ sign: { tone, shape, word }, more }: { readonly sign: Sign; readonly more?: string }) => (
  <span class={`state tone-${tone}`}>
    <Glyph shape={shape} />
    <span class="state-word">{more === undefined ? word : `${word}, ${more}`}</span>
  </span>
);

export const Tag = ({ tone, text, title }: { readonly tone: Tone; readonly text: string; readonly title?: string }) => (
  <span class={`tag tone-${tone}`} title={title}>
    {text}
  </span>
);
