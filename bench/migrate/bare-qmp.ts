/** QMP and nothing else: one question at a time, and events. */
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";

interface QmpMessage {
  readonly return?: unknown;
  readonly error?: { readonly desc: string };
  readonly event?: string;
  readonly data?: { readonly status?: string };
}

export class BareQmp implements AsyncDisposable {
  readonly #socket: Socket;
  readonly #onEvent = new Set<(message: QmpMessage) => void>();
  #answer = Promise.withResolvers<QmpMessage>();
  #rest = "";

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.setEncoding("utf8");
    socket.on("data", (text: string) => this.#take(text));
    socket.on("error", () => {});
    this.#answer.promise.catch(() => {});
  }

  /** Waits until somebody listens. */
  static async open(path: string, deadlineMs: number): Promise<BareQmp> {
    for (const until = performance.now() + deadlineMs; ; ) {
      const socket = connect(path);
      try {
        await once(socket, "connect");
        const qmp = new BareQmp(socket);
        await qmp.call("qmp_capabilities");
        return qmp;
      } catch (error) {
        socket.destroy();
        if (performance.now() > until) throw error;
        await sleep(2);
      }
    }
  }

  async call(execute: string, args: object = {}): Promise<Record<string, unknown>> {
    this.#answer = Promise.withResolvers();
    this.#socket.write(`${JSON.stringify({ execute, arguments: args })}\n`);
    const { error, return: answer } = await this.#answer.promise;
    if (error !== undefined) throw new Error(`${execute}: ${error.desc}`);
    return answer as Record<string, unknown>;
  }

  /** Of its migration; rejects when it fails. */
  reaches(wanted: string): Promise<void> {
    return new Promise((resolve, reject) => {
      const look = ({ event, data }: QmpMessage) => {
        if (event !== "MIGRATION" || (data?.status !== wanted && data?.status !== "failed")) return;
        this.#onEvent.delete(look);
        if (data.status === wanted) resolve();
        else reject(new Error("QEMU says that the migration failed"));
      };
      this.#onEvent.add(look);
    });
  }

  #take(text: string): void {
    const lines = (this.#rest + text).split("\n");
    this.#rest = lines.pop() ?? "";
    for (const line of lines) {
      const message = JSON.parse(line) as QmpMessage;
      if (message.event !== undefined) for (const look of [...this.#onEvent]) look(message);
      else if ("return" in message || "error" in message) this.#answer.resolve(message);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#socket.destroy();
  }
}
