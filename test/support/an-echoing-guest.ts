/** A guest as its serial line shows it: says who it is, says back in capitals what it hears, powers off at a `q`. */
import { createServer, type Socket } from "node:net";
import { join } from "node:path";
import { aTempFolder } from "./temp-folder.ts";

export interface EchoingGuest extends AsyncDisposable {
  readonly socket: string;
  /** All that it heard, over all its connections. */
  readonly heard: () => string;
  /** Resolves when it has powered off. */
  readonly off: Promise<void>;
  say(text: string): void;
}

export async function anEchoingGuest(greeting = "login: "): Promise<EchoingGuest> {
  const folder = await aTempFolder();
  const socket = join(folder.path, "s");
  const lines = new Set<Socket>();
  let heard = "";
  const off = Promise.withResolvers<void>();
  const server = createServer((line) => {
    lines.add(line);
    line.on("close", () => lines.delete(line));
    line.on("error", () => {});
    line.write(greeting);
    line.on("data", (bytes) => {
      heard += bytes.toString();
      line.write(bytes.toString().toUpperCase());
      if (bytes.includes("q")) line.end(() => off.resolve());
    });
  });
  await new Promise<void>((resolve) => server.listen(socket, resolve));
  return {
    socket,
    heard: () => heard,
    off: off.promise,
    say: (text) => {
      for (const line of lines) line.write(text);
    },
    async [Symbol.asyncDispose]() {
      for (const line of lines) line.destroy();
      server.close();
      await folder[Symbol.asyncDispose]();
    },
  };
}
