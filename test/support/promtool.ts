/** Prometheus's own judge of metrics and rules, Debian's: no server is started. */
import { spawnSync } from "node:child_process";

/** `said`: all that it printed. */
export function promtool(
  args: readonly string[],
  { input = "", cwd }: { readonly input?: string; readonly cwd?: string } = {},
): { readonly isFine: boolean; readonly said: string } {
  const { status, stdout, stderr, error } = spawnSync("promtool", args, {
    ...{ input, encoding: "utf8", timeout: 60_000 },
    ...(cwd === undefined ? {} : { cwd }),
  });
  if (error !== undefined) throw error;
  return { isFine: status === 0, said: `${stdout}${stderr}`.trim() };
}
