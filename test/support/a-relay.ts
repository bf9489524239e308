/** A way to a server that can be cut: what was sent goes nowhere, and nobody is told, as when a cable is pulled. */
import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";

export interface ARelay extends AsyncDisposable {
  readonly address: string;
  cut(): void;
  mend(): void;
  /** Nothing more is taken from either side, and nothing is lost. */
  hold(): void;
  release(): void;
}

export async function aRelay(target: string): Promise<ARelay> {
  const { hostname, port } = new URL(target);
  const sockets = new Set<Socket>();
  let isCut = false;
  const server = createServer((client) => {
    const upstream = connect(Number(port), hostname);
    for (const [from, to] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      sockets.add(from);
      from
        .on("data", (bytes) => {
          if (!isCut) to.write(bytes);
        })
        .on("error", () => {})
        .on("close", () => {
          sockets.delete(from);
          if (!isCut) to.destroy();
        });
    }
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const end = () => {
    for (const socket of sockets) socket.destroy();
  };
  return {
    address: `http://127.0.0.1:${(server.address() as { port: number }).port}`,
    cut() {
      isCut = true;
    },
    mend() {
      isCut = false;
      // What was lost on the way cannot be sent again: those connections are of no use.
      end();
    },
    hold() {
      for (const socket of sockets) socket.pause();
    },
    release() {
      for (const socket of sockets) socket.resume();
    },
    async [Symbol.asyncDispose]() {
      end();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
