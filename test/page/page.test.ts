/**
 * The page as people use it: a gateway as it is installed, agents with noop guests, and a real Chromium, one for all stories. A request to
 * anybody else, something against the Content-Security-Policy or a mistake in the console fails the story in which it happens.
 */
import { afterAll, beforeAll, describe } from "vitest";
import { requires } from "../support/requirements.ts";
import { aPageWorld, type PageWorld } from "./a-page-world.ts";
import { answers } from "./stories/answers.ts";
import { bigFleets } from "./stories/big.ts";
import { connections } from "./stories/connection.ts";
import { consoles } from "./stories/console.ts";
import { looks } from "./stories/looks.ts";

describe.runIf(requires("the page in a browser", "chromium", "git"))("the page", () => {
  let opened: PageWorld;
  const runs = { waiting: "", done: "" };
  const world = () => opened;

  beforeAll(async () => {
    opened = await aPageWorld(async (fleet) => {
      for (let index = 1; index <= 12; index++) await fleet.vm(`web-${index}`, index % 3 === 0 ? ["group: web"] : []);
      await fleet.vm("db-1", ["cpus: 2", "memory: 256MiB", "disks: [ { name: data, size: 16MiB } ]"]);
      await fleet.write("groups.yaml", "apiVersion: odorobo.dev/v1\nkind: Group\nmetadata: { name: web }\nspec: {}\n");
    });
    await opened.settles();
    runs.done = (await opened.runs())[0]!.id;
    await opened.fleet.vm("web-1", ["cpus: 2"]);
    await opened.fleet.vm("db-1", ["cpus: 2", "memory: 512MiB", "disks: [ { name: data, size: 16MiB } ]"]);
    await opened.fleet.remove("vms/web-11.yaml");
    await opened.fleet.vm("new-1");
    runs.waiting = await opened.waits(await opened.push("<b>more</b> for web-1"));
  }, 180_000);
  afterAll(() => opened?.[Symbol.asyncDispose]());

  bigFleets(world);
  looks(world, () => runs);
  answers(world, () => runs);
  if (requires("a console in a browser", "qemu-system-x86_64", "qemu-img")) consoles(world);
  connections(world);
});
