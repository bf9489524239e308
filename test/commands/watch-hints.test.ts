/** What a watch tells people to type next finds the same agents and runs. */
import { expect, test } from "vitest";
import { nextCommands } from "../../src/commands/cli/watch/next-commands.ts";

test("with the flags that were given, and no others", () => {
  const plain = nextCommands(".", {});
  expect([plain.watch(), plain.watch("reboot"), plain.apply, plain.approve("R"), plain.attach("R")]).toEqual([
    "odorobo watch",
    "odorobo watch --auto reboot",
    "odorobo apply",
    "odorobo runs approve R",
    "odorobo runs attach R",
  ]);
  const own = nextCommands("my vms", { data: "d", run: "r", state: "s", "token-file": "t", auto: "live", poll: true });
  expect(own.watch("destroy")).toBe(
    "odorobo watch 'my vms' --data d --run r --poll --state s --token-file t --auto destroy",
  );
  expect(own.apply).toBe("odorobo apply 'my vms' --state s --token-file t");
  expect(own.resume("R")).toBe("odorobo runs resume R --state s --token-file t");
  expect(own.approve("R")).toBe("odorobo runs approve R --state s");
});

test("an agent that only this watch knows is not to be had by other commands", () => {
  const other = nextCommands("vms", { agent: "unix:///a" });
  expect([other.apply, other.resume("R")]).toEqual([null, null]);
  expect(other.watch()).toBe("odorobo watch vms --agent unix:///a");
});
