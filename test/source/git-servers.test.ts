/** Repositories of real servers: who we are to them, which of them we believe, and those that hang. */
import { execFile } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { chmod, mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { describe, expect, test, vi } from "vitest";
import { Repository } from "../../src/source/repository.ts";
import { commitFiles, makeRepository } from "../support/a-repository.ts";
import { aSmallDisk } from "../support/a-small-disk.ts";
import { makeCertificates } from "../support/certificates.ts";
import { aGitDaemon, aGitHttpServer, anSshServer } from "../support/git-servers.ts";
import { requires } from "../support/requirements.ts";
import { aTempFolder } from "../support/temp-folder.ts";

vi.setConfig({ testTimeout: 120_000 });

const run = promisify(execFile);
const { signal } = new AbortController();

async function withHome(use: (home: string, head: string) => Promise<void>): Promise<void> {
  await using home = await aTempFolder();
  const head = await makeRepository(join(home.path, "fleet"), { "a.yaml": "1" });
  // The server's user is not always the repository's.
  await writeFile(join(home.path, ".gitconfig"), "[safe]\n\tdirectory = *\n[credential]\n\thelper = store\n");
  const before = process.env.HOME;
  process.env.HOME = home.path;
  try {
    await use(home.path, head);
  } finally {
    process.env.HOME = before;
  }
}

/** The error's code, and all that a person may see of it. */
async function refusal(promise: Promise<unknown>): Promise<string> {
  return await promise.then(
    () => "none",
    (error) => `${error.code} ${error.message} | ${error.hint} | ${error.cause?.message}`,
  );
}

const argumentsOfAll = (): string =>
  readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .map((pid) => {
      try {
        return readFileSync(`/proc/${pid}/cmdline`, "latin1");
      } catch {
        return "";
      }
    })
    .join("\n");

describe.runIf(requires("repositories over HTTP", "git"))("HTTP", () => {
  test("a token file is read each time, and what it holds is seen nowhere else", () =>
    withHome(async (home, head) => {
      const passwords = new Set(["x-access-token:t0ken-one"]);
      let seen = "";
      await using server = await aGitHttpServer(home, passwords, null, () => {
        seen += argumentsOfAll();
      });
      const tokenFile = join(home, "token");
      const url = `http://127.0.0.1:${server.port}/fleet/.git`;
      const repository = new Repository({ url, credentials: { tokenFile } }, join(home, "cache"));
      await writeFile(tokenFile, "t0ken-one\n", { mode: 0o644 });
      expect(await refusal(repository.fetch("main", signal))).toMatch(/^AGENT_INSECURE everybody .* may read/);
      await chmod(tokenFile, 0o600);
      expect(await repository.fetch("main", signal)).toBe(head);
      // Another one, from now on.
      passwords.clear();
      passwords.add("x-access-token:t0ken-two");
      const next = await commitFiles(join(home, "fleet"), { "a.yaml": "2" });
      const refused = await refusal(repository.fetch("main", signal));
      expect(refused).toMatch(
        /^SOURCE_UNREADABLE .*it does not let this token in \| is what .*token holds still valid/,
      );
      await writeFile(tokenFile, "t0ken-two");
      expect(await repository.fetch("main", signal)).toBe(next);

      expect(seen).toContain("ls-remote");
      const kept = await readdir(home, { recursive: true });
      expect(kept).not.toContain(".git-credentials");
      const config = await readFile(join(await repository.folderWith(next, signal), "config"), "utf8");
      for (const text of [seen, refused, config]) expect(text).not.toMatch(/t0ken|dDBrZW4/);
      await writeFile(tokenFile, "a\nb");
      expect(await refusal(repository.refs(signal))).toMatch(/holds more than a token/);
      expect(
        await refusal(new Repository({ url, credentials: { tokenFile: `${home}/none` } }, home).refs(signal)),
      ).toMatch(/cannot read the token file .*none/);
      expect(await refusal(new Repository({ url, credentials: {} }, home).refs(signal))).toMatch(
        /does not let this token in \| it asks who we are/,
      );
      expect(await refusal(new Repository({ url: `${url}x`, credentials: { tokenFile } }, home).refs(signal))).toMatch(
        /more than a token/,
      );
      await writeFile(tokenFile, "t0ken-two");
      expect(await refusal(new Repository({ url: `${url}x`, credentials: { tokenFile } }, home).refs(signal))).toMatch(
        /there is none that we may see/,
      );
    }));

  test.runIf(requires("repositories over HTTPS", "openssl"))("only servers whose CA was given", () =>
    withHome(async (home, head) => {
      const { caFile, server: tls } = await makeCertificates(home);
      await using server = await aGitHttpServer(home, new Set(["bot:pass"]), tls);
      const tokenFile = join(home, "token");
      await writeFile(tokenFile, "pass", { mode: 0o600 });
      const url = `https://bot@127.0.0.1:${server.port}/fleet/.git`;
      const ask = (credentials: object) =>
        new Repository({ url, credentials }, join(home, "cache")).fetch("main", signal);
      expect(await refusal(ask({ tokenFile }))).toMatch(/its certificate cannot be trusted \| .*CA/);
      expect(await ask({ tokenFile, caFile })).toBe(head);
    }),
  );
});

describe.runIf(requires("repositories over ssh", "git", "ssh-keygen", "sshd"))("ssh", () => {
  test("a deploy key, and only a host that is known", () =>
    withHome(async (home, head) => {
      await using server = await anSshServer(home);
      const { keyFile: sshKeyFile, knownHostsFile, strangersKeyFile } = server;
      const url = `ssh://${server.user}@127.0.0.1:${server.port}${home}/fleet`;
      const ask = (credentials: object) =>
        new Repository({ url, credentials }, join(home, "cache")).fetch("main", signal);
      expect(await ask({ sshKeyFile, knownHostsFile })).toBe(head);
      expect(await refusal(ask({ sshKeyFile: strangersKeyFile, knownHostsFile }))).toMatch(
        /it does not let this SSH key in \| is the public half of .*stranger/,
      );
      const unknown = join(home, "un known%h");
      await writeFile(unknown, "");
      const refused = await refusal(ask({ sshKeyFile, knownHostsFile: unknown }));
      expect(refused).toMatch(/its host key is not the one that is known/);
      expect(refused).toContain(`ED25519 ${server.fingerprint}`);
      expect(refused).toContain(`ssh-keyscan -p ${server.port} 127.0.0.1 >> ${unknown}`);
      expect(await readFile(unknown, "utf8")).toBe("");
      // What it says to do.
      const { stdout } = await run("ssh-keyscan", ["-p", String(server.port), "127.0.0.1"]);
      await writeFile(unknown, stdout);
      expect(await ask({ sshKeyFile, knownHostsFile: unknown })).toBe(head);

      // One that hangs leaves no ssh behind that waits for it.
      const impatient = new Repository({ url, credentials: { sshKeyFile, knownHostsFile } }, home, { quietMs: 1_000 });
      server.signal("SIGSTOP");
      try {
        expect(await refusal(impatient.refs(signal))).toMatch(/nothing came for 1 s/);
      } finally {
        server.signal("SIGCONT");
      }
      expect(argumentsOfAll()).not.toContain(knownHostsFile);

      await using _ = await server.again();
      const changed = await refusal(ask({ sshKeyFile, knownHostsFile }));
      expect(changed).toMatch(/its host key is not the one that is known \| somebody may be between/);
      expect(changed).not.toContain(`ED25519 ${server.fingerprint}:`);
    }));
});

describe.runIf(requires("a git daemon", "git"))("a server on bad days", () => {
  test("one that hangs is given up, and is fine when it is back", () =>
    withHome(async (home, head) => {
      await using server = await aGitDaemon(home);
      const url = `git://127.0.0.1:${server.port}/fleet`;
      const impatient = new Repository({ url, credentials: {} }, join(home, "cache"), { quietMs: 500 });
      server.signal("SIGSTOP");
      try {
        expect(await refusal(impatient.refs(signal))).toMatch(
          /^SOURCE_UNREADABLE .*nothing came for 1 s \| is the server/,
        );
        expect(argumentsOfAll()).not.toContain(url);
        const stop = new AbortController();
        const asked = impatient.refs(stop.signal);
        stop.abort();
        await expect(asked).rejects.toMatchObject({ name: "AbortError" });
      } finally {
        server.signal("SIGCONT");
      }
      const patient = new Repository({ url, credentials: {} }, join(home, "cache"));
      expect(await patient.fetch("main", signal)).toBe(head);
    }));

  test("one that is not there", () =>
    withHome(async (home) => {
      const server = await aGitDaemon(home);
      await server[Symbol.asyncDispose]();
      const url = `git://127.0.0.1:${server.port}/fleet`;
      expect(await refusal(new Repository({ url, credentials: {} }, home).refs(signal))).toMatch(
        /its server cannot be reached/,
      );
    }));

  test.runIf(requires("a full disk below a copy", "mounts"))(
    "no room for the copy: told as that, and gone on with when there is",
    () =>
      withHome(async (home, head) => {
        await mkdir(join(home, "cache"));
        await using disk = await aSmallDisk(join(home, "cache"), 4);
        const repository = new Repository({ url: `file://${home}/fleet`, credentials: {} }, disk.path);
        await repository.fetch("main", signal);
        await disk.fill();
        const noise = Buffer.from(crypto.getRandomValues(new Uint8Array(64 * 1024)));
        const next = await commitFiles(join(home, "fleet"), { noise });
        expect(await refusal(repository.fetch("main", signal))).toMatch(/^FILE_UNWRITABLE .*no room.* \| .*--data/);
        // What is here can still be read.
        expect(await repository.has(head, signal)).toBe(true);
        await disk.empty();
        expect(await repository.fetch("main", signal)).toBe(next);
      }),
  );
});
