/** A server that has files, and serves them as badly as a test wants. On 127.0.0.1, at a port of the system's choice. */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

export interface ImageServer extends AsyncDisposable {
  readonly url: (path: string) => string;
  /** `GET /a.raw 0-`, in order. */
  readonly asked: readonly string[];
}

export type Behaviour = (request: IncomingMessage, response: ServerResponse, body: Buffer) => void;

/** Ranges are answered, as a good server does. */
export const serveWell: Behaviour = (request, response, body) => {
  const range = /^bytes=(\d+)-$/.exec(request.headers.range ?? "");
  const from = range === null ? 0 : Number(range[1]);
  const headers = { etag: '"one"', "content-length": body.length - from };
  if (range === null) response.writeHead(200, headers);
  else response.writeHead(206, { ...headers, "content-range": `bytes ${from}-${body.length - 1}/${body.length}` });
  response.end(request.method === "HEAD" ? undefined : body.subarray(from));
};

/** By path. What is not there is answered 404. */
export async function anImageServer(
  files: Readonly<Record<string, Buffer | (() => Buffer)>>,
  behaviour: Behaviour | Readonly<Record<string, Behaviour>> = serveWell,
): Promise<ImageServer> {
  const asked: string[] = [];
  const server = createServer((request, response) => {
    const path = (request.url ?? "").replace(/\?.*$/, "");
    asked.push(`${request.method} ${path} ${request.headers.range?.replace("bytes=", "") ?? "0-"}`);
    const file = files[path];
    const behave = typeof behaviour === "function" ? behaviour : (behaviour[path] ?? serveWell);
    if (file === undefined && behave === serveWell) return void response.writeHead(404).end();
    behave(request, response, file === undefined ? Buffer.alloc(0) : typeof file === "function" ? file() : file);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: (path) => `http://127.0.0.1:${port}${path}`,
    asked,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** Breaks off after a tenth of the whole, each time. */
export const breaksAtEveryTenth: Behaviour = (request, response, body) => {
  const from = Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? "")?.[1] ?? 0);
  const until = Math.min(body.length, from + Math.ceil(body.length / 10));
  const headers = { etag: '"one"', "content-length": body.length - from };
  if (from === 0) response.writeHead(200, headers);
  else response.writeHead(206, { ...headers, "content-range": `bytes ${from}-${body.length - 1}/${body.length}` });
  if (request.method === "HEAD") return void response.end();
  response.write(body.subarray(from, until), () => {
    if (until === body.length) response.end();
    else response.destroy();
  });
};
