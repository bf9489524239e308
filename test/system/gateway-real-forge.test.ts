/** The story of a team that pushes, at a real Gitea or Forgejo where there is one: its own hooks, statuses, comments and pull requests. */
import { describe } from "vitest";
import { findGitea } from "../support/forge/a-real-gitea.ts";
import { requires } from "../support/requirements.ts";
import { PATIENT, systemTest } from "../support/system-world.ts";
import { aTeam } from "../support/team/a-team.ts";
import { aRealForge } from "../support/team/team-forge.ts";
import { tellTeamStory } from "../support/team/team-story.ts";

const hookSecret = "hook-secret-of-the-test";
const program = findGitea();

describe.runIf(requires("a gateway's story at a real Gitea or Forgejo", "git", "gitea"))(
  "a team that pushes to a real forge",
  PATIENT,
  () => {
    systemTest("push, see, plan at the pull request, approve, heal, refuse, revert", async ({ world }) => {
      await using forge = await aRealForge(program!, { hookSecret, context: "odorobo/shop" });
      await using team = await aTeam(world, forge, { hypervisor: "noop", hookSecret });
      await tellTeamStory(world, team);
    });
  },
);
