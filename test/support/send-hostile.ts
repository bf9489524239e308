/** Sends what no client of ours would, and says what came back: an answer, a closed connection, or nothing at all. */
import { Agent, request as ask, type IncomingMessage } from "node:http";
import { connect } from "node:net";
import type { HostileRequest } from "./hostile-requests.ts";

export type Heard =
  | { readonly kind: "answer"; readonly status: number; readonly body: string }
  | { readonly kind: "closed" }
  /** Neither an answer nor an end within the deadline. */
  | { readonly kind: "nothing" };

/** Only guards against hanging: an answer that takes so long on a loaded machine is none. */
const DEADLINE_MS = 60_000;
/** How long we stay to see what comes back, where an agent may rightly leave a connection open. */
const STAY_MS = 20;

export class Sender implements Disposable {
  readonly #host: string;
  readonly #port: number;
  readonly #agent: Agent;

  constructor(url: string, parallel: number) {
    const { hostname, port } = new URL(url);
    this.#host = hostname;
    this.#port = Number(port);
    this.#agent = new Agent({ keepAlive: true, maxSockets: parallel });
  }

  [Symbol.dispose](): void {
    this.#agent.destroy();
  }

  send(request: HostileRequest): Promise<Heard> {
    return request.kind === "http" ? this.#ask(request) : this.#say(request);
  }

  #ask({ method, path, headers, body }: HostileRequest & { kind: "http" }): Promise<Heard> {
    return new Promise((resolve) => {
      const length = body === null ? {} : { "content-length": Buffer.byteLength(body) };
      const options = { host: this.#host, port: this.#port, agent: this.#agent, method, path };
      const asked = ask({ ...options, headers: { ...headers, ...length } });
      const deadline = setTimeout(() => end({ kind: "nothing" }), DEADLINE_MS);
      const end = (heard: Heard) => {
        clearTimeout(deadline);
        resolve(heard);
        if (heard.kind !== "answer") asked.destroy();
      };
      asked.on("error", () => end({ kind: "closed" }));
      asked.on("response", (answer) => {
        if (staysOpen(answer) || mayWait(path)) {
          const status = answer.statusCode ?? 0;
          answer.on("error", () => {});
          asked.destroy();
          end({ kind: "answer", status, body: "" });
          return;
        }
        const chunks: Buffer[] = [];
        answer.on("data", (chunk) => chunks.push(chunk));
        answer.on("error", () => end({ kind: "closed" }));
        answer.on("end", () =>
          end({ kind: "answer", status: answer.statusCode ?? 0, body: Buffer.concat(chunks).toString() }),
        );
      });
      // One who asks to wait a minute goes away: the agent has to notice.
      if (mayWait(path)) setTimeout(() => end({ kind: "closed" }), STAY_MS);
      asked.end(body ?? undefined);
    });
  }

  #say(request: HostileRequest & { kind: "raw" | "websocket" }): Promise<Heard> {
    const pieces = request.kind === "raw" ? request.pieces : [handshake(request.path), ...request.pieces];
    return new Promise((resolve) => {
      let heard = "";
      const socket = connect(this.#port, this.#host);
      const deadline = setTimeout(() => {
        resolve({ kind: "nothing" });
        socket.destroy();
      }, DEADLINE_MS);
      socket.on("data", (bytes) => {
        heard += bytes.toString("latin1").slice(0, 10_000);
      });
      socket.on("error", () => {});
      socket.on("close", () => {
        clearTimeout(deadline);
        const status = Number(/^HTTP\/1.1 (\d{3})/.exec(heard)?.[1] ?? 0);
        resolve(status === 0 ? { kind: "closed" } : { kind: "answer", status, body: heard });
      });
      socket.on("connect", () => {
        for (const piece of pieces) socket.write(piece);
        setTimeout(() => {
          if (request.kind === "raw" && request.isReset) socket.resetAndDestroy();
          else socket.destroy();
        }, STAY_MS);
      });
    });
  }
}

const staysOpen = (answer: IncomingMessage): boolean =>
  answer.headers["content-type"]?.startsWith("text/event-stream") === true;

const mayWait = (path: string): boolean => /[?&](follow|waitSeconds)=/.test(path);

export const handshake = (path: string): Buffer =>
  Buffer.from(
    [
      `GET ${path} HTTP/1.1`,
      "host: localhost",
      "connection: upgrade",
      "upgrade: websocket",
      "sec-websocket-version: 13",
      "sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==",
      "\r\n",
    ].join("\r\n"),
  );
