import { PassThrough } from "node:stream";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { GuestLine } from "../../../src/agent/console/serial-lines.ts";
import { socketPort } from "../../../src/agent/serial-port.ts";
import { parseEscapeKey } from "../../../src/commands/cli/console/escape-keys.ts";
import { type ConsoleSettings, followConsole } from "../../../src/commands/cli/console/follow-console.ts";
import { makeRaw } from "../../../src/commands/cli/console/raw-terminal.ts";
import { vmName } from "../../../src/model/names.ts";
import { connectAgent } from "../../../src/wire/client.ts";
import { anEchoingGuest, type EchoingGuest } from "../../support/an-echoing-guest.ts";
import { socketAgent, type TestAgent } from "../../support/http-agent.ts";
import { startOdorobo } from "../../support/run-odorobo.ts";
import { until } from "../../support/until.ts";

/** A machine that is busy with many tests at once may need long for what takes a moment. */
const soon = (what: string, holds: () => boolean) => until(what, holds);

const WEB_1 = vmName("web-1");
let opened: AsyncDisposableStack;

beforeEach(() => {
  opened = new AsyncDisposableStack();
});
afterEach(() => opened.disposeAsync());

interface Home {
  readonly agent: TestAgent;
  readonly line: GuestLine;
}

/** web-1's guest on this agent. */
function settle(agent: TestAgent, guest: EchoingGuest): Home {
  agent.lifecycle.serials.set("web-1", { log: null });
  const line = agent.consoles.begin(WEB_1, { port: socketPort(guest.socket), log: null, loggedBy: "agent" });
  return { agent, line };
}

async function aHome(): Promise<Home & { readonly guest: EchoingGuest }> {
  const guest = opened.use(await anEchoingGuest());
  const agent = opened.use(await socketAgent());
  return { guest, ...settle(agent, guest) };
}

/** A person at a terminal, on the console of web-1 at the first of these addresses that has it. */
function aPerson(addresses: () => readonly string[], over: Partial<ConsoleSettings> = {}) {
  const keyboard = Object.assign(new PassThrough(), { isTTY: true });
  const end = new AbortController();
  const clients = new Map<string, ReturnType<typeof connectAgent>>();
  opened.defer(async () => {
    end.abort();
    for (const client of clients.values()) await client.close();
  });
  const client = (address: string) => {
    const known = clients.get(address) ?? connectAgent({ address, connectMs: 1_000 });
    clients.set(address, known);
    return known;
  };
  const seen = { screen: "", told: [] as string[], outcome: null as string | null };
  const options = { follow: over.follow ?? true, readonly: over.readonly ?? false };
  const ended = followConsole({
    vm: "web-1",
    ...options,
    escapeKey: parseEscapeKey("^]"),
    keyboard: keyboard as unknown as NodeJS.ReadStream,
    signal: end.signal,
    window: null,
    hasMoved: null,
    async connect() {
      const address = addresses()[0]!;
      return { node: "n1", connection: await client(address).openConsole(WEB_1, end.signal, options) };
    },
    display: async (bytes) => {
      seen.screen += Buffer.from(bytes).toString();
    },
    tell: (line) => void seen.told.push(line),
    ...over,
  }).then((outcome) => {
    seen.outcome = outcome.because;
    return outcome.because;
  });
  return { type: (text: string) => keyboard.write(text), seen, ended };
}

test("in a pipe the input's end is not the console's: the guest still has to answer", async () => {
  const { agent, guest, line } = await aHome();
  void guest.off.then(() => line.end());
  using console = startOdorobo(["vm", "console", "web-1", "--agent", agent.url], { input: "hello q\n" });
  const { code, stdout, stderr } = await console.ended;
  expect(stdout).toBe("login: HELLO Q\n");
  expect(stderr).toBe("\nweb-1 is off\n");
  expect(code).toBe(0);
});

test("a pipe whose agent goes away ends with an error: half an answer is none", async () => {
  const { agent } = await aHome();
  using console = startOdorobo(["vm", "console", "web-1", "--agent", agent.url]);
  await console.waitFor("stdout", "login: ");
  await agent[Symbol.asyncDispose]();
  expect(await console.ended).toMatchObject({ code: 1, stderr: expect.stringContaining("AGENT_STOPPING") });
});

test("on a terminal every key is the guest's, Ctrl-C too; Ctrl-] and a dot leave", async () => {
  const { agent, guest } = await aHome();
  const person = aPerson(() => [agent.url]);
  await soon("the guest is seen", () => person.seen.screen === "login: ");
  expect(person.seen.told).toEqual([
    "connected to web-1 on n1. Ctrl-] then . leaves, R resets the session, S tells the guest the window's size, Ctrl-] again sends it",
  ]);
  person.type("\u0003ls");
  await soon("it answers", () => person.seen.screen === "login: \u0003LS");
  person.type("\u001d.never sent");
  expect(await person.ended).toBe("left");
  expect(guest.heard()).toBe("\u0003ls");
});

test("who follows stays when the guest goes off, and sees it start again", async () => {
  const { agent, guest, line } = await aHome();
  const person = aPerson(() => [agent.url]);
  await soon("the guest is seen", () => person.seen.screen === "login: ");
  await line.end();
  await soon("told", () => person.seen.told.includes("web-1 is off; waiting until it runs again"));
  settle(agent, guest);
  await soon("it is back", () => person.seen.screen === "login: login: ");
  expect(person.seen.told).toContain("web-1 runs");
  expect(person.seen.outcome).toBeNull();
});

test("who does not follow leaves with the guest", async () => {
  const { agent, line } = await aHome();
  const person = aPerson(() => [agent.url], { follow: false });
  await soon("the guest is seen", () => person.seen.screen === "login: ");
  await line.end();
  expect(await person.ended).toBe("guest-off");
});

test("an agent that restarts is waited for, and what was seen is not shown again", async () => {
  const guest = opened.use(await anEchoingGuest("a greeting of some length\r\n"));
  const first = await socketAgent();
  settle(first, guest);
  const person = aPerson(() => [first.url]);
  await soon("the guest is seen", () => person.seen.screen.includes("length"));

  await first[Symbol.asyncDispose]();
  await soon("told", () => person.seen.told.some((line) => line.endsWith("connecting again")));
  const second = opened.use(await socketAgent({ listen: new URL(first.url).host }));
  settle(second, guest);
  await soon("it is back", () => person.seen.told.includes("connected again to web-1 on n1"));
  guest.say("and on it goes");
  await soon("it goes on", () => person.seen.screen.endsWith("and on it goes"));
  expect(person.seen.screen).toBe("a greeting of some length\r\nand on it goes");
});

test("a guest that comes up on another node is followed there", async () => {
  const { agent, line } = await aHome();
  const other = await aHome();
  let moved = false;
  const person = aPerson(() => [moved ? other.agent.url : agent.url], { hasMoved: async () => moved });
  await soon("the guest is seen", () => person.seen.screen === "login: ");
  moved = true;
  await line.end();
  await soon("told", () => person.seen.told.includes("web-1 runs on another node now"));
  await soon("it is there", () => person.seen.screen === "login: login: ");
  person.type("hi");
  await soon("the other hears", () => other.guest.heard() === "hi");
});

test("read-only: nothing that is typed leaves the house", async () => {
  const { agent, guest } = await aHome();
  const person = aPerson(() => [agent.url], { readonly: true });
  await soon("the guest is seen", () => person.seen.screen === "login: ");
  person.type("rm -rf /\r");
  await soon("told", () => person.seen.told.includes("read-only: nothing that is typed reaches the guest"));
  guest.say("still here");
  await soon("it goes on", () => person.seen.screen.endsWith("still here"));
  expect(guest.heard()).toBe("");
});

test("S types the window's size into the guest, which a serial line cannot tell", async () => {
  const { agent, guest } = await aHome();
  const window = { size: () => ({ cols: 132, rows: 43 }), onChange: () => () => {} };
  const person = aPerson(() => [agent.url], { window });
  await soon("the guest is seen", () => person.seen.screen === "login: ");
  person.type("\u001dS");
  await soon("it is told", () => guest.heard() === "stty rows 43 cols 132\r");
  expect(person.seen.told).not.toContain(expect.stringContaining("no window size"));
});

test("a terminal is itself again however the console ends", () => {
  const modes: boolean[] = [];
  const keyboard = { isTTY: true, setRawMode: (isRaw: boolean) => modes.push(isRaw) };
  const display = Object.assign(new PassThrough(), { isTTY: true }) as unknown as NodeJS.WriteStream;
  const before = process.listeners("exit");
  {
    using _raw = makeRaw(keyboard, display);
    expect(modes).toEqual([true]);
    // As Node does when an error or `process.exit` ends the process.
    for (const onExit of process.listeners("exit").filter((each) => !before.includes(each))) onExit(0);
    expect(modes).toEqual([true, false]);
  }
  expect(modes).toEqual([true, false]);
  expect(process.listeners("exit")).toEqual(before);
});

test("a guest that is off has no console in a pipe: why, and exit code 0", async () => {
  const agent = opened.use(await socketAgent());
  agent.lifecycle.serials.set("web-1", { log: null });
  using console = startOdorobo(["vm", "console", "web-1", "--agent", agent.url], { input: "" });
  expect(await console.ended).toMatchObject({ code: 0, stderr: "\nweb-1 is off\n" });
});
