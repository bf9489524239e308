/** The console protocol of the Rust agent, on a guest that says what it hears, with a client that knows nothing of odorobo. */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import type { VmReport } from "../../src/model/observed-state.ts";
import { aWebSocket, type WebSocketClient } from "../support/a-web-socket.ts";
import { aCompatWorld, type CompatWorld } from "../support/compat-world.ts";
import { until } from "../support/until.ts";

const CONSOLE = "/vms/web-1/console";

function logOf(world: CompatWorld): string {
  const file = join(world.folder, "d/vms/web-1/logs/console.log");
  return existsSync(file) ? readFileSync(file, "utf8") : "";
}

async function boot(world: CompatWorld): Promise<void> {
  await world.quietly("PUT", "/vms/web-1?boot=true", { body: world.config });
  await until("what it says is logged, though nobody looks", () => logOf(world).includes("TINY-START"));
}

test("a session from its first frame to the guest's end", async () => {
  await using world = await aCompatWorld();
  await boot(world);
  await using viewer = await aWebSocket(world.url + CONSOLE);
  await until("what was said before is seen", () => viewer.bytes === "TINY-START\n");
  viewer.type("hi ");
  await until("the guest hears it", () => viewer.bytes.endsWith("hi "));
  viewer.tell("not JSON");
  viewer.tell({ type: "resize", cols: 0, rows: 24 });
  viewer.tell({ type: "resize", cols: 80, rows: 24 });
  await until("mistakes are told", () => viewer.messages.length === 3);
  viewer.tell({ type: "reset_session" });
  await until("the keys are pressed", () => viewer.bytes.endsWith("\x03\r\x04"));
  viewer.type("q");
  expect(await viewer.closed).toBe("close 4001 web-1 is off");
  const frames = viewer.frames.map((each) =>
    each.startsWith("bytes ") ? `bytes ${JSON.stringify(each.slice(6))}` : each,
  );
  await expect(`${frames.join("\n")}\n`).toMatchFileSnapshot("console.txt");
  // Its last words are for who comes too late.
  await using late = await aWebSocket(world.url + CONSOLE);
  await late.closed;
  expect(late.bytes).toBe(viewer.bytes);
  expect(logOf(world)).toBe(viewer.bytes);
});

test("ten thousand lines at once reach five viewers and the log whole", async () => {
  await using world = await aCompatWorld();
  await boot(world);
  await using viewers = new AsyncDisposableStack();
  const all: WebSocketClient[] = [];
  for (let count = 0; count < 5; count++) all.push(viewers.use(await aWebSocket(world.url + CONSOLE)));
  const [first] = all;
  await until("the line is there", () => first?.bytes.includes("TINY-START") === true);
  first?.type("!burst 10000\r");
  const lines = Array.from({ length: 10_000 }, (_, line) => `LINE ${line}\n`).join("");
  await until("everybody has it", () => all.every((each) => each.bytes.endsWith(lines)));
  await until("it is logged", () => logOf(world).endsWith(lines));
});

test("a guest that reboots keeps its viewers, and who follows is told", async () => {
  await using world = await aCompatWorld();
  await boot(world);
  await using viewer = await aWebSocket(`${world.url}/v1${CONSOLE}?follow=1`);
  await until("it runs", () => viewer.bytes.includes("TINY-START"));
  viewer.type("!reboot\r");
  await until("it has started anew", () => viewer.bytes.endsWith("TINY-START\n") && viewer.bytes.includes("!reboot"));
  expect(viewer.messages.map((each) => each.event ?? each.type)).toEqual(["connected", "rebooted"]);
  world.note("switched off and on again, by hand");
  await world.quietly("PUT", "/vms/web-1/shutdown");
  await world.quietly("PUT", "/vms/web-1/boot");
  await until("it is told", () => viewer.messages.at(-1)?.event === "guest-started");
  expect(viewer.messages.at(-2)?.event).toBe("guest-off");
});

test("a console of no VM, and of one that has no line", async () => {
  await using world = await aCompatWorld();
  await expect(aWebSocket(`${world.url}/vms/web-9/console`)).rejects.toThrow(/^404 /);
  for (const name of ["a%2Fb", "a%", "%zz"])
    await expect(aWebSocket(`${world.url}/vms/${name}/console`)).rejects.toThrow(/^400 /);
  await world.quietly("PUT", "/vms/web-1");
  await using viewer = await aWebSocket(world.url + CONSOLE);
  expect(await viewer.closed).toBe("close 4001 web-1 is off");
});

test("the ready probe hears what the guest says on a line that the agent keeps", async () => {
  await using world = await aCompatWorld();
  await world.quietly("PUT", "/vms/web-1", { body: world.config });
  const { spec, generation } = (await world.quietly("GET", "/v1/vms/web-1")).json as VmReport;
  const ready = { kind: "serial", pattern: "TINY-START", timeoutSeconds: 20 };
  const put = { id: "p", fleet: null, commit: null, generation: generation + 1, files: {}, expect: null };
  await world.quietly("PUT", "/v1/vms/web-1", { body: { ...put, spec: { ...spec, ready } } });
  expect((await world.quietly("PUT", "/vms/web-1/boot")).status).toBe(200);
  expect((await world.quietly("GET", "/v1/vms/web-1")).json).toMatchObject({ ready: true });
});

test("an agent that starts again finds the guest's line, and shows what it had heard before", async () => {
  await using world = await aCompatWorld();
  await boot(world);
  {
    await using viewer = await aWebSocket(`${world.url}/v1${CONSOLE}`);
    viewer.type("before ");
    await until("it is heard", () => viewer.bytes.endsWith("before "));
    await world.restart();
    expect(await viewer.closed).toBe("close 1001 the agent is stopping");
  }
  await using viewer = await aWebSocket(world.url + CONSOLE);
  await until("it is shown", () => viewer.bytes === "TINY-START\nbefore ");
  viewer.type("after");
  await until("it is heard", () => viewer.bytes === "TINY-START\nbefore after");
  await until("it is logged", () => logOf(world) === viewer.bytes);
});
