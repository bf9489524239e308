/** A terminal whose every key is for somebody else, and which is itself again afterwards, whatever happens. */

export interface Keyboard {
  readonly isTTY?: boolean;
  setRawMode?(isRaw: boolean): unknown;
}

/**
 * What programs in a guest may have left switched on, and would not switch off any more: attributes, a hidden cursor,
 * bracketed paste, reports of the mouse.
 */
const CALM = "\u001b[0m\u001b[?25h\u001b[?2004l\u001b[?1000l\u001b[?1002l\u001b[?1003l\u001b[?1006l";

/** 128 and the signal's number, as shells have it. */
const SIGHUP_EXIT = 129;

/** Until disposed. Also restored when the process ends by an error or by a signal. */
export function makeRaw(keyboard: Keyboard, display: NodeJS.WriteStream): Disposable {
  if (keyboard.isTTY !== true || keyboard.setRawMode === undefined) return { [Symbol.dispose]: () => {} };
  const setRawMode = keyboard.setRawMode.bind(keyboard);
  let isRaw = true;
  const restore = () => {
    if (!isRaw) return;
    isRaw = false;
    setRawMode(false);
    if (display.isTTY) display.write(CALM);
  };
  const onHangUp = () => {
    restore();
    process.exit(SIGHUP_EXIT);
  };
  setRawMode(true);
  process.on("exit", restore);
  process.on("SIGHUP", onHangUp);
  return {
    [Symbol.dispose]() {
      restore();
      process.off("exit", restore);
      process.off("SIGHUP", onHangUp);
    },
  };
}
