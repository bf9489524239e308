/** Where things are kept that cannot be made again and belong to one person on one machine: $XDG_STATE_HOME/odorobo, else ~/.local/state/odorobo. */
import { homedir } from "node:os";
import { isAbsolute, join } from "node:path";

export function stateFolder(env: Readonly<Record<string, string | undefined>> = process.env): string {
  // The XDG specification: a relative path is to be ignored.
  const { XDG_STATE_HOME } = env;
  const base = XDG_STATE_HOME && isAbsolute(XDG_STATE_HOME) ? XDG_STATE_HOME : join(homedir(), ".local", "state");
  return join(base, "odorobo");
}
