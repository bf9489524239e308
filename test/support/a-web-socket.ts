/** A WebSocket client that keeps what it is sent, frame by frame: `text {"type":…}`, `bytes login: `, `close 4001 web-1 is off`. */
import { WebSocket } from "ws";

export interface WebSocketClient extends AsyncDisposable {
  /** Bytes that came in several frames one after the other are one entry. */
  readonly frames: readonly string[];
  /** All bytes. */
  readonly bytes: string;
  /** The messages of text frames. */
  readonly messages: readonly Record<string, unknown>[];
  readonly closed: Promise<string>;
  /** Binary. */
  type(text: string): void;
  /** As a text frame; a string as it is. */
  tell(message: unknown): void;
  readonly socket: WebSocket;
}

/** Rejects with `STATUS BODY` when the upgrade is refused. */
export async function aWebSocket(
  url: string,
  options: { readonly headers?: Readonly<Record<string, string>>; readonly protocols?: string[] } = {},
): Promise<WebSocketClient> {
  const socket = new WebSocket(url.replace(/^http/, "ws"), options.protocols ?? [], { headers: options.headers ?? {} });
  const frames: string[] = [];
  socket.on("error", () => {});
  socket.on("message", (data: Buffer, isBinary) => {
    const text = data.toString("latin1");
    if (!isBinary) frames.push(`text ${data}`);
    else if (frames.at(-1)?.startsWith("bytes ")) frames[frames.length - 1] += text;
    else frames.push(`bytes ${text}`);
  });
  const closed = new Promise<string>((resolve) =>
    socket.once("close", (code, reason) => {
      const told = `close ${code} ${reason}`.trim();
      frames.push(told);
      resolve(told);
    }),
  );
  await new Promise<void>((resolve, reject) => {
    socket.once("open", resolve);
    socket.once("unexpected-response", (_, response) => {
      let body = "";
      response.on("data", (chunk) => {
        body += chunk;
      });
      response.on("end", () => reject(new Error(`${response.statusCode} ${body}`)));
    });
  });
  const of = (kind: string) => frames.filter((each) => each.startsWith(kind)).map((each) => each.slice(kind.length));
  return {
    frames,
    socket,
    closed,
    get bytes() {
      return of("bytes ").join("");
    },
    get messages() {
      return of("text ").map((each) => JSON.parse(each));
    },
    type: (text) => socket.send(Buffer.from(text)),
    tell: (message) => socket.send(typeof message === "string" ? message : JSON.stringify(message)),
    async [Symbol.asyncDispose]() {
      socket.terminate();
      await closed;
    },
  };
}
