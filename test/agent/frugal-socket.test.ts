/** What goes through two agents comes out as it went in, whoever is slow, ends first, or breaks. */
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";
import { join } from "node:path";
import { type Duplex, duplexPair } from "node:stream";
import { text } from "node:stream/consumers";
import { setTimeout as sleep } from "node:timers/promises";
import { expect, test } from "vitest";
import { readFrugally } from "../../src/agent/hypervisor/frugal-socket.ts";
import { forwardFrom, forwardTo } from "../../src/agent/hypervisor/join-streams.ts";
import { aTempFolder } from "../support/temp-folder.ts";
import { until } from "../support/until.ts";

interface Way extends AsyncDisposable {
  /** Where the one comes in, and the other's end of it. */
  open(): Promise<{ readonly from: Socket; readonly to: Socket }>;
  /** Sockets in between. */
  readonly between: Duplex[];
}

/** A Unix socket → TCP → a Unix socket, as a guest's memory goes. `head`: what came with the question that opened the channel. */
async function aWay(head = Buffer.alloc(0)): Promise<Way> {
  await using opened = new AsyncDisposableStack();
  const folder = opened.use(await aTempFolder());
  const between: Duplex[] = [];
  const [out, into] = [join(folder.path, "out"), join(folder.path, "in")];
  const target = listening(createServer({ allowHalfOpen: true }), opened);
  await once(target.listen(into), "listening");
  const door = listening(createServer({ allowHalfOpen: true }), opened);
  door.on("connection", (socket) => {
    between.push(socket);
    if (head.length > 0) socket.unshift(head);
    forwardTo(into, socket);
  });
  await once(door.listen(0, "127.0.0.1"), "listening");
  const dial = async (): Promise<Duplex> => {
    const socket = connect({ port: (door.address() as AddressInfo).port, host: "127.0.0.1", allowHalfOpen: true });
    between.push(socket);
    await once(socket, "connect");
    return socket;
  };
  opened.use(await forwardFrom(out, dial, () => {}));
  const moved = opened.move();
  return {
    between,
    async open() {
      const from = connect({ path: out, allowHalfOpen: true });
      const [to] = (await once(target, "connection")) as [Socket];
      for (const end of [from, to]) end.on("error", () => {});
      return { from, to };
    },
    [Symbol.asyncDispose]: () => moved.disposeAsync(),
  };
}

function listening(server: Server, opened: AsyncDisposableStack): Server {
  const sockets = new Set<Socket>();
  server.on("connection", (socket) => sockets.add(socket));
  opened.defer(async () => {
    for (const socket of sockets) socket.destroy();
    await new Promise<void>((resolve) => server.close(() => resolve()));
  });
  return server;
}

/** Without an iterator: that would destroy a socket whose other half is open. */
function all(socket: Socket): Promise<Buffer> {
  const got: Buffer[] = [];
  socket.on("data", (chunk: Buffer) => got.push(chunk));
  return new Promise((resolve) => socket.once("end", () => resolve(Buffer.concat(got))));
}

const closing = (socket: Duplex): Promise<void> => new Promise((resolve) => socket.once("close", () => resolve()));

const MANY = randomBytes(24 * 1024 * 1024);

test("all of it, both ways at once, and each end closes by itself", async () => {
  const head = randomBytes(1_000);
  await using way = await aWay(head);
  const { from, to } = await way.open();
  const [there, back] = [all(to), all(from)];
  const answer = randomBytes(3 * 1024 * 1024);
  for (let at = 0; at < MANY.length; at += 777_777) from.write(MANY.subarray(at, at + 777_777));
  from.end();
  to.end(answer);
  expect((await there).equals(Buffer.concat([head, MANY]))).toBe(true);
  expect((await back).equals(answer)).toBe(true);
  await until("nothing is open in between", () => way.between.every(({ destroyed }) => destroyed));
});

test("whoever takes slowly gets it all, and what waits is bounded", async () => {
  await using way = await aWay();
  const { from, to } = await way.open();
  let sent = 0;
  for (let at = 0; at < MANY.length; at += 1_000_000) {
    const piece = MANY.subarray(at, at + 1_000_000);
    from.write(piece, () => {
      sent += piece.length;
    });
  }
  from.end();
  // Nobody reads: it fills what is in between and stands still.
  let before = -1;
  while (sent !== before || sent === 0) {
    before = sent;
    await sleep(200);
  }
  expect(sent).toBeLessThan(MANY.length);
  expect((await all(to)).equals(MANY)).toBe(true);
});

test.each(["from", "to"] as const)(
  "the end called %s breaks: the other hears of it, and nothing stays open",
  async (which) => {
    await using way = await aWay();
    const ends = await way.open();
    const other = which === "from" ? ends.to : ends.from;
    ends.from.write(MANY.subarray(0, 1_000_000));
    other.resume();
    const closed = closing(other);
    await once(ends.to, "data").catch(() => {});
    ends[which].destroy();
    other.end();
    await closed;
    await until("nothing is open in between", () => way.between.every(({ destroyed }) => destroyed));
  },
);

test("who held the connection before ends it", async () => {
  await using way = await aWay();
  const { from, to } = await way.open();
  from.write("hello");
  await once(to, "data");
  const closed = Promise.all([closing(from.resume()), closing(to.resume())]);
  for (const socket of way.between) socket.destroy();
  from.end();
  to.end();
  await closed;
});

test("sockets of this runtime can be read like that; streams that are no sockets are left as they are", async () => {
  await using opened = new AsyncDisposableStack();
  const folder = opened.use(await aTempFolder());
  const server = listening(createServer(), opened);
  await once(server.listen(join(folder.path, "s")), "listening");
  const client = connect(join(folder.path, "s"));
  const [accepted] = (await once(server, "connection")) as [Socket];
  const [here, there] = duplexPair();
  expect(readFrugally(here, there)).toBeNull();
  const own = readFrugally(accepted, there);
  expect(own).not.toBeNull();
  client.end("hello");
  expect(await text(here)).toBe("hello");
  own?.destroy();
});
