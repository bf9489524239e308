/** Into a guest by OpenSSH: a real server stands for the guest's, at the port that its forward names. */
import { appendFile, mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { aLiveFleet, type LiveFleet } from "../../support/a-live-fleet.ts";
import { anSshServer, type SshServer } from "../../support/git-servers.ts";
import { requires } from "../../support/requirements.ts";
import { odorobo, startOdorobo } from "../../support/run-odorobo.ts";
import { aTempFolder } from "../../support/temp-folder.ts";

describe.runIf(requires("guests' SSH servers", "sshd"))("vm ssh", () => {
  let fleet: LiveFleet;
  let folder: Awaited<ReturnType<typeof aTempFolder>>;
  let server: SshServer;

  beforeEach(async () => {
    folder = await aTempFolder();
    server = await anSshServer(folder.path);
    fleet = await aLiveFleet("n1");
    await fleet.vm("web-1", [`nics: [{ name: eth0, forwards: ["${server.port}:22"] }]`]);
    await fleet.vm("far-1", ["runStrategy: Manual"]);
    await odorobo("apply", fleet.folder, "--yes");
  });
  afterEach(async () => {
    await server[Symbol.asyncDispose]();
    await fleet[Symbol.asyncDispose]();
    await folder[Symbol.asyncDispose]();
  });

  /** As a process: ssh has its streams. */
  const run = async (...argv: string[]) => {
    const child = startOdorobo(argv, { env: { XDG_STATE_HOME: join(folder.path, "state") } });
    return await child.ended;
  };
  const options = () => ["--fleet", fleet.folder, "--identity", server.keyFile, "--user", server.user];
  const ssh = (...command: string[]) => run("vm", "ssh", "web-1", ...options(), "--", ...command);
  const saysOnItsConsole = async (key: string) => {
    const logs = join(fleet.scratch, "n1", "d", "vms", "web-1", "logs");
    await mkdir(logs, { recursive: true });
    const lines = ["-----BEGIN SSH HOST KEY KEYS-----", key, "-----END SSH HOST KEY KEYS-----"];
    await appendFile(join(logs, "console.log"), `${lines.join("\r\n")}\r\n`);
  };

  test("believes who has the key that the guest said on its serial line, and nobody else", async () => {
    await saysOnItsConsole(await readFile(join(folder.path, "host.pub"), "utf8"));
    const hello = await ssh("echo", "hello", "&&", "exit", "7");
    expect(hello).toMatchObject({ code: 7, stdout: "hello\n" });
    expect(hello.stderr).toContain(
      `web-1 by port ${server.port} of its node; its host key is the one that it said on its serial line`,
    );

    await writeFile(join(folder.path, "note"), "a note\n");
    const copied = await run("vm", "cp", ...options(), join(folder.path, "note"), `web-1:${folder.path}/copy`);
    expect(copied).toMatchObject({ code: 0 });
    expect(await readFile(join(folder.path, "copy"), "utf8")).toBe("a note\n");

    await using _impostor = await server.again();
    const refused = await ssh("true");
    expect(refused.code).toBe(255);
    expect(refused.stderr).toContain("REMOTE HOST IDENTIFICATION HAS CHANGED");
  });

  test("who answers first is believed where the guest says nothing, and compared from then on; what is said then counts", async () => {
    const first = await ssh("true");
    expect(first).toMatchObject({ code: 0, stderr: expect.stringContaining("who answers now is believed") });
    expect(await ssh("true")).toMatchObject({ code: 0, stderr: expect.stringContaining("the one seen before") });
    await using _anew = await server.again();
    expect((await ssh("true")).code).toBe(255);
    await saysOnItsConsole(await readFile(join(folder.path, "other-host.pub"), "utf8"));
    expect((await ssh("true")).code).toBe(0);
  });

  test("waits for who is to answer, and says what is missing", async () => {
    const at = ["--fleet", fleet.folder];
    expect((await odorobo("vm", "wait", "web-1", "--for", "ssh", ...at)).code).toBe(0);
    expect((await odorobo("vm", "wait", "web-1", "--for", "address", ...at)).code).toBe(0);
    expect((await odorobo("vm", "wait", "web-1", ...at)).code).toBe(0);
    expect((await odorobo("vm", "wait", "far-1", "--for", "stopped", ...at)).code).toBe(0);
    const late = await odorobo("vm", "wait", "far-1", "--for", "ssh", "--timeout", "10ms", ...at);
    expect(late.stderr).toMatch(/^error {2}GUEST_NOT_READY {2}far-1 is not open to SSH after 10ms: it is stopped\n/);
    const off = await run("vm", "ssh", "far-1", ...options());
    expect(off.stderr).toMatch(/^error {2}WRONG_PHASE {2}far-1 is stopped\n/);
    const both = await odorobo("vm", "cp", "./a", "./b", ...at);
    expect(both.stderr).toMatch(/^error {2}USAGE {2}one of the two is in a guest/);
  });
});
