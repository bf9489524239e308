/** Where things are kept that can be made again: $XDG_CACHE_HOME/odorobo, else ~/.cache/odorobo. */
import { homedir } from "node:os";
import { isAbsolute, join } from "node:path";

export function cacheFolder(env: Readonly<Record<string, string | undefined>> = process.env): string {
  // The XDG specification: a relative path is to be ignored.
  const base = env.XDG_CACHE_HOME && isAbsolute(env.XDG_CACHE_HOME) ? env.XDG_CACHE_HOME : join(homedir(), ".cache");
  return join(base, "odorobo");
}
