import { createServer } from "node:net";
import { join } from "node:path";
import { PassThrough } from "node:stream";
import { afterEach, beforeEach, expect, test } from "vitest";
import { attachConsole } from "../../src/commands/cli/attach-console.ts";
import { vmName } from "../../src/model/names.ts";
import { connectAgent } from "../../src/wire/client.ts";
import { socketAgent, type TestAgent } from "../support/http-agent.ts";
import { startOdorobo } from "../support/run-odorobo.ts";
import { aTempFolder } from "../support/temp-folder.ts";

const NEVER = new AbortController().signal;
let agent: TestAgent;
let opened: AsyncDisposableStack;

/** A guest that says who it is, says back in capitals what it hears, and powers off at a `q`. */
beforeEach(async () => {
  opened = new AsyncDisposableStack();
  const folder = opened.use(await aTempFolder());
  const path = join(folder.path, "s");
  const guest = createServer((line) => {
    line.on("error", () => {});
    line.write("login: ");
    line.on("data", (bytes) => {
      line.write(bytes.toString().toUpperCase());
      if (bytes.includes("q")) line.end();
    });
  });
  opened.defer(() => void guest.close());
  await new Promise<void>((resolve) => guest.listen(path, resolve));
  agent = opened.use(await socketAgent());
  agent.lifecycle.serials.set("web-1", { socket: path, log: null });
});
afterEach(() => opened.disposeAsync());

test("in a pipe the input's end is not the console's: the guest still has to answer", async () => {
  using console = startOdorobo(["vm", "console", "web-1", "--agent", agent.url], { input: "hello q\n" });
  const { code, stdout, stderr } = await console.ended;
  expect(stdout).toBe("login: HELLO Q\n");
  expect(stderr).toBe("\nweb-1 is off\n");
  expect(code).toBe(0);
});

test("on a terminal every key goes to the guest, but Ctrl-] leaves and gives the terminal back", async () => {
  const modes: boolean[] = [];
  const keyboard = Object.assign(new PassThrough(), { isTTY: true, setRawMode: (raw: boolean) => modes.push(raw) });
  const client = connectAgent({ address: agent.url });
  opened.defer(() => client.close());
  await using connection = await client.openConsole(vmName("web-1"), NEVER);
  const sent: string[] = [];
  const send = connection.send;
  const watched = {
    ...connection,
    send: (bytes: Uint8Array) => {
      sent.push(Buffer.from(bytes).toString());
      send(bytes);
    },
  };
  const end = attachConsole(watched, keyboard as unknown as NodeJS.ReadStream);
  keyboard.write("\u0003ls\u001dnever sent");
  expect(await end).toBe("left");
  expect(sent).toEqual(["\u0003ls"]);
  expect(modes).toEqual([true, false]);
});

test("a guest that is off has no console: its last words and why", async () => {
  agent.lifecycle.serials.set("web-1", { socket: null, log: null });
  using console = startOdorobo(["vm", "console", "web-1", "--agent", agent.url], { input: "" });
  expect((await console.ended).stderr).toBe("\nweb-1 is off\n");
});
