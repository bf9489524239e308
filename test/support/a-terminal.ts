/** A real terminal: a command in a window of tmux, what stands on its screen, and keys that somebody presses. */
import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { until } from "./until.ts";

const run = promisify(execFile);

export interface ATerminal extends AsyncDisposable {
  screen(): Promise<string>;
  /** Waits until the screen, with what scrolled out of it, is so. */
  shows(what: string | RegExp): Promise<string>;
  /** As tmux names them: `yes`, `Enter`, `C-c`. */
  press(...keys: string[]): Promise<void>;
}

/** A guest is started by an emulator, on a machine that tests other things meanwhile. */
const DEADLINE_MS = 120_000;

/** `folder`: for its socket. The window stays when the command has ended, and says with which code. */
export async function aTerminal(folder: string, command: string, env: NodeJS.ProcessEnv): Promise<ATerminal> {
  const tmux = async (...args: string[]) => {
    const options = { env: { ...process.env, ...env, LANG: "C.UTF-8" } };
    const { stdout } = await run("tmux", ["-f", "/dev/null", "-u", "-S", join(folder, "tmux"), ...args], options);
    return stdout;
  };
  await tmux("new-session", "-d", "-s", "t", "-x", "110", "-y", "50", `${command}; echo "ended with $?"; exec cat`);
  const screen = () => tmux("capture-pane", "-p", "-S", "-", "-t", "t");
  return {
    screen,
    async shows(what) {
      let last = "";
      const isThere = async () => {
        last = await screen();
        return typeof what === "string" ? last.includes(what) : what.test(last);
      };
      await until(`the terminal shows ${what}`, isThere, DEADLINE_MS).catch((error) => {
        throw new Error(`${error}\n${last}`);
      });
      return last;
    },
    press: async (...keys) => void (await tmux("send-keys", "-t", "t", ...keys)),
    [Symbol.asyncDispose]: async () => void (await tmux("kill-server").catch(() => {})),
  };
}
