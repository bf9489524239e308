/** What asks "what if" can ask it of a snapshot: no agent is asked then. */
import { Flags } from "@oclif/core";

export const fromFlag = {
  from: Flags.string({
    summary: "of what `odorobo snapshot` printed; no agent is asked",
    helpValue: "FILE",
    helpGroup: "SOURCE",
    exclusive: ["fleet", "repo"],
  }),
};
