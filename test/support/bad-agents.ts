/** Agents as one meets them on bad days: real servers on loopback, each bad in one way. */
import { createServer as createHttpServer, type RequestListener } from "node:http";
import { type AddressInfo, createServer, type Server, type Socket } from "node:net";
import { aNodeReport } from "./wire-builders.ts";

export interface BadAgent extends AsyncDisposable {
  readonly url: string;
  /** How often somebody asked. */
  readonly asked: () => number;
}

const html = "<!doctype html><title>Welcome to nginx!</title>\n<p>If you see this page …";

export const badAgents = {
  /** Nobody listens. */
  refuses: async (): Promise<BadAgent> => {
    const gone = await listen(createServer());
    await gone[Symbol.asyncDispose]();
    return { ...gone, [Symbol.asyncDispose]: async () => {} };
  },
  /** Takes the connection and the request, and says nothing. */
  hangs: () => http(() => {}),
  /** Takes the connection and does not even read. */
  ignores: () => listen(createServer((socket) => socket.pause())),
  /** Begins to answer and then says nothing more. */
  hangsInTheMiddle: () =>
    http((_, answer) => {
      answer.writeHead(200, { "content-type": "application/json", "content-length": "1000" });
      answer.write("{");
    }),
  answersHtml: () => http((_, answer) => answer.writeHead(200, { "content-type": "text/html" }).end(html)),
  answersHtmlAsError: () => http((_, answer) => answer.writeHead(502, { "content-type": "text/html" }).end(html)),
  /** Breaks off in the middle of a body whose length it had said. */
  answersHalf: () =>
    http((_, answer) => {
      answer.writeHead(200, { "content-type": "application/json", "content-length": "1000" });
      answer.write('{"apiVersion":1,', () => answer.destroy());
    }),
  answersBrokenJson: () => json('{"apiVersion":1,'),
  answersWrongShape: () => json(JSON.stringify({ ...aNodeReport("n1"), capacity: { cpus: 8 } })),
  answersNull: () => json("null"),
  answersOtherVersion: () => json(JSON.stringify({ ...aNodeReport("n1"), apiVersion: 2 })),
  /** 200 MB of JSON, as fast as it is read. */
  answersWithoutEnd: () =>
    http((_, answer) => {
      answer.writeHead(200, { "content-type": "application/json" });
      const block = " ".repeat(1024 * 1024);
      let left = 200;
      const more = () => {
        while (left > 0 && !answer.destroyed) {
          left--;
          if (!answer.write(block)) return void answer.once("drain", more);
        }
        answer.end();
      };
      more();
    }),
  redirects: () => http((_, answer) => answer.writeHead(302, { location: "http://127.0.0.1:1/v1/report" }).end()),
  /** Takes the request and is gone. */
  dies: () => http((request) => request.socket.destroy()),
  /** A server of another kind: SSH greets first. */
  speaksSsh: () => listen(createServer((socket) => socket.write("SSH-2.0-OpenSSH_9.2\r\n"))),
  refusesToken: () => http((_, answer) => answer.writeHead(401).end("go away")),
  forbids: () => http((_, answer) => answer.writeHead(403, { "content-type": "text/html" }).end(html)),
  /** An agent of tomorrow, with a kind of error that we do not know. */
  answersUnknownError: () =>
    http((_, answer) =>
      answer
        .writeHead(409, { "content-type": "application/json" })
        .end(JSON.stringify({ code: "MOON_PHASE", message: "not while the moon\u001b[31m is full" })),
    ),
  /** Any listener of the test's own. */
  as: (listener: RequestListener) => http(listener),
} as const;

const json = (text: string): Promise<BadAgent> =>
  http((_, answer) => answer.writeHead(200, { "content-type": "application/json" }).end(text));

async function http(listener: RequestListener): Promise<BadAgent> {
  return await listen(createHttpServer(listener));
}

async function listen(server: Server): Promise<BadAgent> {
  let asked = 0;
  const sockets = new Set<Socket>();
  server.on("connection", (socket: Socket) => {
    sockets.add(socket);
    socket.on("error", () => {});
    socket.on("close", () => sockets.delete(socket));
  });
  server.on("request", () => asked++);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    asked: () => asked,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
