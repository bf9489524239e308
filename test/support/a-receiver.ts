/** A receiver of notifications: keeps what it is sent, and answers as the test says. */
import { once } from "node:events";
import { createServer, type IncomingHttpHeaders } from "node:http";

export interface Received {
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

export interface TestReceiver extends AsyncDisposable {
  readonly url: string;
  readonly received: readonly Received[];
  /** Of the next requests, one after the other; 200 when there is none left. Null: nothing is ever answered. */
  readonly answers: (number | null | { readonly status: number; readonly headers: Record<string, string> })[];
}

export async function aReceiver(): Promise<TestReceiver> {
  const received: Received[] = [];
  const answers: TestReceiver["answers"] = [];
  const server = createServer(async (request, response) => {
    let body = "";
    for await (const chunk of request.setEncoding("utf8")) body += chunk;
    const answer = answers.length === 0 ? 200 : answers.shift();
    received.push({ headers: request.headers, body });
    if (answer === null || answer === undefined) return;
    const { status, headers } = typeof answer === "number" ? { status: answer, headers: {} } : answer;
    response.writeHead(status, headers).end("taken");
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as { port: number };
  return {
    url: `http://127.0.0.1:${port}/services/T000/B000/s3cr3t`,
    received,
    answers,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
}
