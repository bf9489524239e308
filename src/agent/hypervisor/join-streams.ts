/** Two ends that become one: what comes in at the one goes out at the other, as fast as that takes it. */
import { chmod, chown, stat } from "node:fs/promises";
import { connect, createServer } from "node:net";
import { dirname } from "node:path";
import type { Duplex } from "node:stream";

/** An end that breaks takes the other with it; one that has said all it had to say lets the other go on. */
export function joinStreams(one: Duplex, other: Duplex): void {
  for (const [from, to] of [
    [one, other],
    [other, one],
  ] as const) {
    from.pipe(to);
    from.on("error", () => to.destroy());
    from.once("close", () => {
      if (!from.readableEnded) to.destroy();
    });
  }
}

/** To somebody who listens on a Unix socket; what cannot be reached breaks the stream. */
export function forwardTo(path: string, stream: Duplex): void {
  joinStreams(connect({ path, allowHalfOpen: true }), stream);
}

/**
 * Listens on a Unix socket for one process, whose run folder it is in, and hands each of its connections to what `open` makes. `onFailure` is told
 * once when that cannot be made. Disposing lets nobody new in and ends what is open.
 */
export async function forwardFrom(
  path: string,
  open: () => Promise<Duplex>,
  onFailure: (error: unknown) => void,
): Promise<AsyncDisposable> {
  const streams = new Set<Duplex>();
  const keep = (stream: Duplex) => {
    streams.add(stream);
    stream.once("close", () => streams.delete(stream));
  };
  const server = createServer({ allowHalfOpen: true, pauseOnConnect: true }, (socket) => {
    socket.on("error", () => socket.destroy());
    keep(socket);
    open().then(
      (stream) => {
        keep(stream);
        joinStreams(socket, stream);
        socket.resume();
      },
      (error: unknown) => {
        socket.destroy();
        onFailure(error);
      },
    );
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(path, resolve);
  });
  await giveToFolderOwner(path);
  return {
    async [Symbol.asyncDispose]() {
      for (const stream of streams) stream.destroy();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}

/** The process may be another user's. */
export async function giveToFolderOwner(path: string): Promise<void> {
  const folder = await stat(dirname(path));
  if (process.getuid?.() === 0) await chown(path, folder.uid, folder.gid);
  await chmod(path, 0o660);
}
