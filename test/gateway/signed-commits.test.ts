/** Commits that must be signed: by whom the file names, whatever the repository, its config and our own say. */
import { execFile } from "node:child_process";
import { chmod, mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { describe, expect, test, vi } from "vitest";
import { refuseUnsigned } from "../../src/gateway/sources/refuse-commit.ts";
import { Repository } from "../../src/source/repository.ts";
import { commitFiles, git, makeRepository } from "../support/a-repository.ts";
import { requires } from "../support/requirements.ts";
import { aTempFolder } from "../support/temp-folder.ts";

vi.setConfig({ testTimeout: 120_000 });

const run = promisify(execFile);
const { signal } = new AbortController();

interface Scene {
  readonly repo: string;
  readonly home: string;
  /** Of alice alone. */
  readonly signers: string;
  readonly first: string;
  readonly repository: Repository;
  /** A key's name, made when it is new. Null: unsigned. */
  commit(key: string | null, file: string): Promise<string>;
  sign(key: string | null): string[];
}

async function withSigners(use: (scene: Scene) => Promise<void>): Promise<void> {
  await using folder = await aTempFolder();
  const home = folder.path;
  const repo = join(home, "repo");
  for (const name of ["alice", "mallory"])
    await run("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-C", name, "-f", join(home, name)]);
  const { stdout } = await run("cat", [join(home, "alice.pub")]);
  const signers = join(home, "signers");
  await writeFile(signers, `# who may\nalice@example.net namespaces="git" ${stdout}`);
  await makeRepository(repo, {});
  const sign = (key: string | null): string[] =>
    key === null ? [] : ["-c", "gpg.format=ssh", "-c", `user.signingKey=${join(home, key)}.pub`];
  const commit = async (key: string | null, file: string): Promise<string> => {
    await writeFile(join(repo, file), "x");
    await git(repo, "add", "--all");
    await git(repo, ...sign(key), "commit", "--quiet", ...(key === null ? [] : ["-S"]), "--message", file);
    return await git(repo, "rev-parse", "HEAD");
  };
  const first = await commit("alice", "first");
  const repository = new Repository({ url: `file://${repo}`, credentials: {} }, join(home, "cache"));
  await use({ repo, home, signers, first, repository, commit, sign });
}

/** What the tip of main is refused for; null: nothing. */
async function verdict({ repository, signers }: Scene, since: string | null): Promise<string | null> {
  const tip = await repository.fetch("main", signal);
  return await refuseUnsigned(repository, tip, since, signers, signal).then(
    () => null,
    (error: { code: string; message: string; hint: string }) => `${error.code} ${error.message} | ${error.hint}`,
  );
}

describe.runIf(requires("signed commits", "git", "ssh-keygen"))("signed by ssh", () => {
  test("by somebody of the file, by somebody else, by nobody", () =>
    withSigners(async (scene) => {
      expect(await verdict(scene, null)).toBe(null);
      expect(await scene.repository.verify(scene.first, scene.signers, signal)).toEqual({ by: "alice@example.net" });
      const bad = await scene.commit("mallory", "second");
      expect(await verdict(scene, scene.first)).toMatch(
        /^SOURCE_UNSIGNED nobody who may has signed \w+ by test <test@localhost>: it is signed by a key that is not in the file of signers \(SHA256:/,
      );
      expect(await scene.repository.verify(bad, scene.signers, signal)).toHaveProperty("problem");
      await git(scene.repo, "commit", "--quiet", "--amend", "--no-gpg-sign", "--no-edit");
      expect(await verdict(scene, scene.first)).toMatch(/: it is not signed \|.*signers/);
    }));

  test("what a signature was put under later does not count", () =>
    withSigners(async (scene) => {
      const raw = await git(scene.repo, "cat-file", "commit", scene.first);
      const file = join(scene.home, "forged");
      await writeFile(file, `${raw.replace(/\n\nfirst/, "\n\nforged")}\n`);
      const forged = await git(scene.repo, "hash-object", "-t", "commit", "-w", file);
      await git(scene.repo, "update-ref", "refs/heads/main", forged);
      expect(await verdict(scene, null)).toMatch(/does not fit what it says|not in the file/);
    }));

  test("nothing unsigned hides under a signed commit; a signed merge vouches for what it merges", () =>
    withSigners(async (scene) => {
      const { repo, first } = scene;
      const hidden = await scene.commit(null, "hidden");
      const top = await scene.commit("alice", "top");
      expect(await verdict(scene, first)).toMatch(
        new RegExp(
          `has signed ${hidden.slice(0, 12)} by .*, which comes before ${top.slice(0, 12)}: it is not signed.*git merge --no-ff -S ${top.slice(0, 12)} on top of ${first.slice(0, 12)}`,
        ),
      );
      // As the hint says, and without rewriting anything.
      await git(repo, "checkout", "--quiet", "--detach", first);
      await git(repo, ...scene.sign("alice"), "merge", "--quiet", "--no-ff", "-S", "--no-edit", top);
      await git(repo, "push", "--quiet", ".", "HEAD:refs/heads/main");
      expect(await verdict(scene, first)).toBe(null);
      // A merge by nobody vouches for nothing.
      await git(repo, "checkout", "--quiet", "-B", "side");
      const side = await scene.commit("alice", "side");
      await git(repo, "checkout", "--quiet", "main");
      await git(repo, "merge", "--quiet", "--no-ff", "--no-edit", side);
      expect(await verdict(scene, top)).toMatch(/it is not signed/);
    }));

  test("no config has a say: of the repository, of its copy, of the user that we are", () =>
    withSigners(async (scene) => {
      const { repo, home } = scene;
      await scene.commit("mallory", "second");
      const lenient = async (where: string) => {
        for (const [key, value] of [
          ["gpg.ssh.allowedSignersFile", join(home, "everybody")],
          ["gpg.ssh.program", join(home, "yes")],
          ["gpg.program", join(home, "yes")],
          ["gpg.openpgp.program", join(home, "yes")],
        ] as const)
          await run("git", ["config", "--file", where, key, value]);
      };
      const { stdout } = await run("cat", [join(home, "mallory.pub")]);
      await writeFile(join(home, "everybody"), `* ${stdout}`);
      await writeFile(
        join(home, "yes"),
        `#!/bin/sh\necho 'Good "git" signature for alice with ED25519 key SHA256:x'\n`,
        {
          mode: 0o755,
        },
      );
      await lenient(join(repo, ".git/config"));
      await lenient(join(await scene.repository.folderWith(scene.first, signal), "config"));
      await mkdir(join(home, "user"));
      await lenient(join(home, "user/.gitconfig"));
      const before = process.env.HOME;
      process.env.HOME = join(home, "user");
      try {
        expect(await verdict(scene, scene.first)).toMatch(/not in the file of signers/);
      } finally {
        process.env.HOME = before;
      }
    }));

  test("a file of signers that is not there, or names nobody, lets nobody in", () =>
    withSigners(async (scene) => {
      expect(await verdict({ ...scene, signers: join(scene.home, "none") }, null)).toMatch(
        /^SOURCE_UNREADABLE .*none cannot be read/,
      );
      await writeFile(scene.signers, "# nobody\n");
      expect(await verdict(scene, null)).toMatch(/^SOURCE_UNREADABLE .*names nobody/);
      await chmod(scene.signers, 0o666);
      expect(await verdict(scene, null)).toMatch(/^SOURCE_UNREADABLE .*may be written by everybody/);
    }));
});

describe.runIf(requires("commits signed by OpenPGP", "git", "gpg"))("signed by gpg", () => {
  test("keys that stand in the file, and no others, whatever keyring is here", async () => {
    await using folder = await aTempFolder();
    const home = folder.path;
    const repo = join(home, "repo");
    const keys = join(home, "gnupg");
    await mkdir(keys, { mode: 0o700 });
    const gpg = async (...args: string[]) =>
      (await run("gpg", ["--homedir", keys, "--batch", "--quiet", "--passphrase", "", ...args])).stdout;
    const before = process.env.GNUPGHOME;
    process.env.GNUPGHOME = keys;
    try {
      for (const name of ["alice", "mallory"])
        await gpg(
          "--pinentry-mode",
          "loopback",
          "--quick-generate-key",
          `${name}@example.net`,
          "ed25519",
          "sign",
          "never",
        );
      const signers = join(home, "signers");
      await writeFile(signers, `# by ssh: nobody\n${await gpg("--armor", "--export", "alice@example.net")}`);
      await makeRepository(repo, { a: "a" });
      const repository = new Repository({ url: `file://${repo}`, credentials: {} }, join(home, "cache"));
      const signed = async (name: string) => {
        const env = { ...process.env, GNUPGHOME: keys };
        const who = ["-c", "user.name=t", "-c", "user.email=t@localhost", "-c", `user.signingKey=${name}@example.net`];
        await run("git", ["-C", repo, ...who, "commit", "--quiet", "--allow-empty", "-S", "-m", name], { env });
        const commit = await repository.fetch("main", signal);
        return await repository.verify(commit, signers, signal);
      };
      expect(await signed("alice")).toEqual({ by: "alice@example.net" });
      expect(await signed("mallory")).toMatchObject({ problem: expect.stringMatching(/not in the file of signers/) });
      const unsigned = await commitFiles(repo, { b: "b" });
      await repository.fetch("main", signal);
      expect(await repository.verify(unsigned, signers, signal)).toEqual({ problem: "it is not signed" });
    } finally {
      if (before === undefined) delete process.env.GNUPGHOME;
      else process.env.GNUPGHOME = before;
      await run("gpgconf", ["--homedir", keys, "--kill", "all"]).catch(() => {});
    }
  });
});
