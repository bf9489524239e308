/** A folder of manifests as a repository that is pushed to: each push is a commit, made before anything is timed. */
import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const IDENTITY = ["-c", "user.name=bench", "-c", "user.email=bench@example.net", "-c", "gc.auto=0"];

export class Pushed {
  readonly folder: string;

  constructor(folder: string) {
    this.folder = folder;
  }

  /** A folder that is none yet becomes one. */
  begin(): string {
    this.#git("init", "--quiet", "--initial-branch=main");
    this.#git("add", ".");
    return this.#commit();
  }

  /** Returns the commit. */
  push(file: string, edit: (text: string) => string): string {
    const path = join(this.folder, file);
    writeFileSync(path, edit(readFileSync(path, "utf8")));
    this.#git("add", file);
    return this.#commit();
  }

  #commit(): string {
    this.#git("commit", "--quiet", "--no-gpg-sign", "--allow-empty", "-m", "bench");
    return this.#git("rev-parse", "HEAD").trim();
  }

  #git(...args: string[]): string {
    return execFileSync("git", [...IDENTITY, ...args], {
      cwd: this.folder,
      encoding: "utf8",
      env: { ...process.env, GIT_CONFIG_GLOBAL: "/dev/null", GIT_CONFIG_NOSYSTEM: "1" },
    });
  }
}
