/** What an installation calls things. */
import { HOOK_ACTS } from "../hooks/hooks.ts";

/** The unprivileged user that guests run as. */
export const GUEST_USER = "odorobo-vm";
export const AGENT_UNIT = "odorobo-agent.service";

/** Below the hooks folder: `before-boot.d`. */
export const HOOK_FOLDERS: readonly string[] = HOOK_ACTS.flatMap((act) => [`before-${act}.d`, `after-${act}.d`]);
