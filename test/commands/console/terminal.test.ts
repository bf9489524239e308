/** On a real terminal, as a person has it: `script` makes one, and a shell looks afterwards how it was left. */
import { spawn } from "node:child_process";
import { describe, expect, test } from "vitest";
import { socketPort } from "../../../src/agent/serial-port.ts";
import { vmName } from "../../../src/model/names.ts";
import { anEchoingGuest } from "../../support/an-echoing-guest.ts";
import { BUILT_COMMAND } from "../../support/built.ts";
import { socketAgent } from "../../support/http-agent.ts";
import { requires } from "../../support/requirements.ts";
import { until } from "../../support/until.ts";

const DEADLINE_MS = 30_000;

/** A shell on a terminal of its own that runs the command, then says how the terminal is. */
function onTerminal(command: string) {
  const line = `sh -c 'echo PID $$; exec ${command}'; echo CODE $?; stty -a; echo THE END`;
  const child = spawn("script", ["--quiet", "--command", line, "/dev/null"], { stdio: ["pipe", "pipe", "pipe"] });
  const seen = { text: "" };
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    seen.text += text;
  });
  const shows = (what: string) => until(`the terminal shows ${what}`, () => seen.text.includes(what), DEADLINE_MS);
  return {
    shows,
    type: (text: string) => child.stdin.write(text),
    text: () => seen.text,
    pid: () => Number(/PID (\d+)/.exec(seen.text)?.[1]),
    /** How the terminal was left: stty's words. */
    async leftAs() {
      await shows("THE END");
      return seen.text.slice(seen.text.lastIndexOf("CODE"));
    },
    [Symbol.dispose]: () => void child.kill("SIGKILL"),
  };
}

describe.runIf(requires("the console on a real terminal", "script"))("a real terminal", () => {
  async function withConsole(run: (terminal: ReturnType<typeof onTerminal>, heard: () => string) => Promise<void>) {
    await using guest = await anEchoingGuest();
    await using agent = await socketAgent();
    agent.lifecycle.serials.set("web-1", { log: null });
    agent.consoles.begin(vmName("web-1"), { port: socketPort(guest.socket), log: null, loggedBy: "agent" });
    using terminal = onTerminal(`${process.execPath} ${BUILT_COMMAND} vm console web-1 --agent ${agent.url}`);
    await terminal.shows("login: ");
    await run(terminal, guest.heard);
  }

  test(
    "gives every key to the guest, and is as before when one leaves",
    () =>
      withConsole(async (terminal, heard) => {
        terminal.type("ls\u0003\u0004\u001a");
        await until(
          "the guest hears Ctrl-C, Ctrl-D and Ctrl-Z too",
          () => heard() === "ls\u0003\u0004\u001a",
          DEADLINE_MS,
        );
        terminal.type("\u001d.");
        const left = await terminal.leftAs();
        expect(left).toContain("CODE 0");
        expect(left).toMatch(/[^-]icanon/);
        expect(left).toMatch(/[^-]echo /);
      }),
    DEADLINE_MS * 2,
  );

  test.each([
    ["SIGTERM", "CODE 0"],
    ["SIGHUP", "CODE 129"],
  ] as const)(
    "is as before after %s",
    (signal, code) =>
      withConsole(async (terminal) => {
        process.kill(terminal.pid(), signal);
        const left = await terminal.leftAs();
        expect(left).toContain(code);
        expect(left).toMatch(/[^-]icanon/);
        expect(left).toMatch(/[^-]echo /);
      }),
    DEADLINE_MS * 2,
  );
});
