/** The same routes and the same console on a guest of QEMU's, which logs its serial line by itself. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { aWebSocket } from "../support/a-web-socket.ts";
import { aCompatWorld } from "../support/compat-world.ts";
import { requires } from "../support/requirements.ts";
import { until } from "../support/until.ts";
import { aPut, aWireSpec } from "../support/wire-builders.ts";

const isHere = requires("consoles of guests on a real QEMU", "qemu-system-x86_64");

test.runIf(isHere)(
  "who comes late sees what QEMU logged, once; several look; the end is told",
  { timeout: 60_000 },
  async () => {
    await using world = await aCompatWorld({ settings: { hypervisor: ["qemu"], accelerator: "tcg" } });
    const spec = aWireSpec({ hypervisor: "qemu", disks: [], nics: [], shutdownGraceSeconds: 0 });
    await world.quietly("PUT", "/v1/vms/web-1", { body: aPut({ spec }) });
    expect((await world.quietly("PUT", "/vms/web-1/boot")).status).toBe(200);
    const log = join(world.folder, "d/vms/web-1/logs/console.log");
    await until("it counts", () => readFileSync(log, "latin1").includes("COUNTER 3"));
    await using first = await aWebSocket(`${world.url}/vms/web-1/console`);
    await using second = await aWebSocket(`${world.url}/v1/vms/web-1/console?follow=1`);
    const counted = (text: string) => [...text.matchAll(/COUNTER (\d+)\r?\n/g)].map((each) => Number(each[1]));
    await until("both count on", () => [first, second].every((each) => counted(each.bytes).length >= 8));
    for (const each of [first, second]) {
      const seen = counted(each.bytes);
      expect(each.bytes.startsWith("TINY-START")).toBe(true);
      expect(seen).toEqual(seen.map((_, index) => (seen[0] ?? 0) + index));
    }
    first.type("q");
    expect(await first.closed).toBe("close 4001 web-1 is off");
    await until("who follows is told", () => second.messages.at(-1)?.event === "guest-off");
    expect(readFileSync(log, "latin1")).toBe(first.bytes);
    expect((await world.quietly("PUT", "/vms/web-1/boot")).status).toBe(200);
    await until("it starts again", () => second.messages.at(-1)?.event === "guest-started");
    const anew = () => second.bytes.slice(first.bytes.length);
    await until("it counts again", () => counted(anew()).length >= 3);
    const again = counted(anew());
    expect(again).toEqual(again.map((_, index) => (again[0] ?? 0) + index));
  },
);
