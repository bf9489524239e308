/** What an installation calls things. */

/** The unprivileged user that guests run as. */
export const GUEST_USER = "odorobo-vm";
export const AGENT_UNIT = "odorobo-agent.service";
