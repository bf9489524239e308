/**
 * A team that only pushes: a bare repository over `git daemon`, a gateway, three agents, a forge that checks what it is told. Each push is followed
 * to the guests, and back to the commit.
 */
import { describe } from "vitest";
import { requires } from "../support/requirements.ts";
import { PATIENT, systemTest } from "../support/system-world.ts";
import { aTeam } from "../support/team/a-team.ts";
import { aStandInForge } from "../support/team/team-forge.ts";
import { tellTeamStory } from "../support/team/team-story.ts";

const hookSecret = "hook-secret-of-the-test";

const isReal = requires("a gateway's story with real guests", "qemu-system-x86_64", "qemu-img");

describe.runIf(requires("a gateway's story", "git"))("a team that pushes", PATIENT, () => {
  systemTest("push, see, plan at the pull request, approve, heal, refuse, revert", async ({ world }) => {
    const env = { ODOROBO_TEST_WORLD: world.scratch };
    await using forge = await aStandInForge(world.scratch, env, { hookSecret, context: "odorobo/shop" });
    await using team = await aTeam(world, forge, { hypervisor: isReal ? "qemu" : "noop", hookSecret });
    await tellTeamStory(world, team);
  });
});
