/**
 * A bare repository on this machine that holds what was fetched from another. It can always be made anew, so whatever is wrong with
 * it ends by that. Invariant: only whole ones stand in their place.
 */
import { randomUUID } from "node:crypto";
import { existsSync, mkdirSync, renameSync, rmSync } from "node:fs";
import { OdoroboError } from "../../model/errors.ts";
import { gitEnvironment } from "./environment.ts";
import { Git, type ObjectFormat } from "./git.ts";
import { type Deadlines, type GitExit, runGit } from "./process.ts";

/** What git does alone on this machine; it packs for minutes what was large. */
const LOCAL: Deadlines = { quietMs: 600_000, totalMs: 600_000 };
/** Refs keep objects, and each is told to the server when something is fetched. */
const REFS_AT_MOST = 32;

export class BareCopy {
  readonly folder: string;
  readonly #format: ObjectFormat;

  constructor(folder: string, format: ObjectFormat) {
    this.folder = folder;
    this.#format = format;
  }

  get isThere(): boolean {
    return existsSync(this.folder);
  }

  /** Made beside and moved into place whole: of several processes that begin at once, one wins and all go on. */
  async make(signal: AbortSignal): Promise<void> {
    if (this.isThere) return;
    const temporary = `${this.folder}.${randomUUID()}.tmp`;
    try {
      mkdirSync(temporary, { recursive: true, mode: 0o700 });
      await new Git(temporary, signal).initBare(this.#format);
      renameSync(temporary, this.folder);
    } catch (cause) {
      rmSync(temporary, { recursive: true, force: true });
      if (this.isThere) return;
      signal.throwIfAborted();
      if (cause instanceof OdoroboError) throw cause;
      throw new OdoroboError("FILE_UNWRITABLE", `${this.folder} cannot be made`, {
        cause,
        hint: "is there room, and the right to write? XDG_CACHE_HOME chooses another place",
      });
    }
  }

  /** Nobody reads what is half gone: it leaves its place first. */
  remove(): void {
    const away = `${this.folder}.${randomUUID()}.tmp`;
    try {
      renameSync(this.folder, away);
    } catch {
      // Another process was first.
    }
    rmSync(away, { recursive: true, force: true });
  }

  /** Null when git does not want to, whatever the reason. */
  async ask(args: readonly string[], signal: AbortSignal): Promise<string | null> {
    const { code, stdout } = await this.run(args, signal);
    return code === 0 ? stdout.trim() : null;
  }

  /** `more`: of the environment. */
  async run(
    args: readonly string[],
    signal: AbortSignal,
    more: Readonly<Record<string, string>> = {},
  ): Promise<GitExit> {
    const env = { ...gitEnvironment(), GIT_CONFIG_NOSYSTEM: "1", GIT_CONFIG_GLOBAL: "/dev/null", ...more };
    return await runGit({ args, folder: this.folder, env, isAlone: true, deadlines: LOCAL }, signal);
  }

  /** What git itself thinks that is broken here; slow on a large copy. */
  async isDamaged(signal: AbortSignal): Promise<boolean> {
    if (!this.isThere) return true;
    return (await this.ask(["fsck", "--no-dangling", "--no-progress"], signal)) === null;
  }

  /** When there is much of it: forgets refs but that commit's, and packs. What other processes still need they fetch again. */
  async tidy(commit: string, signal: AbortSignal): Promise<void> {
    const refs = (await this.ask(["for-each-ref", "--format=%(refname)", "refs/odorobo"], signal))?.split("\n") ?? [];
    if (refs.length > REFS_AT_MOST)
      for (const ref of refs) if (ref !== `refs/odorobo/${commit}`) await this.ask(["update-ref", "-d", ref], signal);
    await this.ask(["-c", "gc.autoDetach=false", "gc", "--auto", "--quiet"], signal);
  }
}
