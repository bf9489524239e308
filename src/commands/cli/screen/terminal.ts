/** What is known of the terminal, and how one writes to it. */

/** Colours only on a terminal that can, and unless somebody asked for none (https://no-color.org). */
export const wantsColour = (stream: NodeJS.WriteStream, argv: readonly string[]): boolean =>
  stream.isTTY === true && !process.env.NO_COLOR && process.env.TERM !== "dumb" && !argv.includes("--no-color");

export const isInteractive = (): boolean => process.stdin.isTTY === true && process.stderr.isTTY === true;

const brokenPipe = new AbortController();
/** Aborted when nobody reads stdout any more (`| head`): what only prints may stop then, what acts goes on. */
export const stdoutClosed: AbortSignal = brokenPipe.signal;

export function ignoreBrokenPipes(): void {
  for (const stream of [process.stdout, process.stderr])
    if (!stream.listeners("error").includes(onWriteError)) stream.on("error", onWriteError);
}

function onWriteError(error: NodeJS.ErrnoException): void {
  if (error.code !== "EPIPE") throw error;
  brokenPipe.abort();
}

/** Where a command's texts go. */
export interface Screen {
  /** A document is asked for: nothing else is printed on stdout. */
  readonly json: boolean;
  /** For views that go to stdout. */
  readonly colour: boolean;
  /** Of the terminal that views go to, in columns; null: they go somewhere else. */
  readonly width: number | null;
  /** For views that go to stderr. */
  readonly noteColour: boolean;
  /** For people, on stdout. */
  print(text: string): void;
  /** On stderr, beside a document too. */
  note(text: string): void;
}

export const printLine = (text: string): void => {
  process.stdout.write(`${text}\n`);
};

/** Progress, notes and questions: never mixed into what a program reads from stdout. */
export const noteLine = (text: string): void => {
  process.stderr.write(`${text}\n`);
};

/** Bytes as they are, no faster than they are read. */
export async function writeBytes(bytes: Uint8Array): Promise<void> {
  if (process.stdout.write(bytes) || stdoutClosed.aborted) return;
  await new Promise<void>((resolve) => {
    process.stdout.once("drain", resolve);
    stdoutClosed.addEventListener("abort", () => resolve(), { once: true });
  });
}

/** Serial consoles and some CI runners say 0, or nothing. What people have had since 1978. */
const COLUMNS = 80;
const ROWS = 24;

/** How much fits onto a terminal. */
export const columnsOf = (stream: NodeJS.WriteStream): number => (stream.columns > 0 ? stream.columns : COLUMNS);
export const rowsOf = (stream: NodeJS.WriteStream): number => (stream.rows > 0 ? stream.rows : ROWS);

/** The size of the window that this terminal is, and when it changes. */
export const terminalWindow = (stream: NodeJS.WriteStream) => ({
  size: () => ({ cols: stream.columns ?? 0, rows: stream.rows ?? 0 }),
  onChange: (listener: () => void) => {
    stream.on("resize", listener);
    return () => void stream.off("resize", listener);
  },
});
