/** What agent and console viewer agree on beside the bytes: why the agent ended a console. WebSocket close codes from 4000 on are ours. */
export const CONSOLE_CLOSE = {
  /** The guest is off, or has just gone off. */
  guestOff: 4001,
  /** "Going away", as RFC 6455 has it: the agent stops, the guest goes on. */
  agentStopping: 1001,
} as const;
