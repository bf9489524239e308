/**
 * How a test speaks to a running double, beside its API: a line in, a line out, over an abstract Unix socket named after the
 * process, so that no file lies about. Commands are the guest's (see guest.ts).
 */
import { createServer } from "node:net";

export const controlAddress = (pid: number): string => `\0chd-control:${pid}`;

export function listenForControl(obey: (line: string) => string): void {
  const server = createServer((socket) => {
    let text = "";
    socket.setEncoding("utf8");
    socket.on("error", () => socket.destroy());
    socket.on("data", (chunk: string) => {
      text += chunk;
      const end = text.indexOf("\n");
      if (end < 0) return;
      const line = text.slice(0, end);
      text = text.slice(end + 1);
      socket.end(`${obey(line)}\n`);
    });
  });
  server.unref();
  server.listen(controlAddress(process.pid));
}
