/** What stands between a browser and a gateway, and has bad days: it is cut, or holds back what the gateway says. */
import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";

export interface ACuttableWay extends AsyncDisposable {
  readonly url: string;
  /** What is open ends, and nobody new gets through. */
  cut(): void;
  mend(): void;
  /** From now on, of streams of events nothing comes through, as of a proxy that gathers answers whole. */
  holdBack(): void;
}

export async function aCuttableWay(to: string): Promise<ACuttableWay> {
  const { hostname, port } = new URL(to);
  const open = new Set<Socket>();
  let isCut = false;
  let isHeldBack = false;
  const server = createServer((here) => {
    if (isCut) return void here.destroy();
    const there = connect(Number(port), hostname);
    open.add(here).add(there);
    let isStream = false;
    here.on("data", (bytes) => {
      isStream = /accept: text\/event-stream/i.test(bytes.toString("latin1"));
      there.write(bytes);
    });
    there.on("data", (bytes) => {
      if (!(isHeldBack && isStream)) here.write(bytes);
    });
    for (const [one, other] of [
      [here, there],
      [there, here],
    ] as const) {
      one.on("error", () => other.destroy());
      one.on("close", () => {
        open.delete(one);
        other.destroy();
      });
    }
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const end = () => {
    for (const socket of open) socket.destroy();
  };
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    cut() {
      isCut = true;
      end();
    },
    mend() {
      isCut = false;
    },
    holdBack() {
      isHeldBack = true;
      end();
    },
    async [Symbol.asyncDispose]() {
      server.close();
      end();
      await once(server, "close");
    },
  };
}
