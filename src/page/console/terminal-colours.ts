import type { ITheme, Terminal } from "@xterm/xterm";

const DARK: ITheme = {
  background: "#11151c",
  foreground: "#dde3ec",
  cursor: "#9db4ff",
  selectionBackground: "#35508f",
};

const LIGHT: ITheme = {
  background: "#fbfcfe",
  foreground: "#1c2430",
  cursor: "#3457d5",
  selectionBackground: "#c9d6ff",
  black: "#1c2430",
  white: "#5b6675",
  brightWhite: "#3b4656",
  yellow: "#7a5b00",
  brightYellow: "#7a5b00",
  green: "#1c6b3a",
  brightGreen: "#1c6b3a",
  cyan: "#0c6170",
  brightCyan: "#0c6170",
};

/** As the page is, and when that changes. Ends with what is returned. */
export function followColours(terminal: Terminal): AbortController {
  const ended = new AbortController();
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const look = (): void => {
    terminal.options.theme = dark.matches ? DARK : LIGHT;
  };
  look();
  dark.addEventListener("change", look, { signal: ended.signal });
  return ended;
}
