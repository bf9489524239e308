/** `odorobo agent token`: what it writes, an agent understands at once. */
import { chmod, readFile, stat, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { Ajv2020 } from "ajv/dist/2020.js";
import { expect, test } from "vitest";
import { addToken, listAccess, revokeCaller } from "../../src/agent/edit-access-file.ts";
import { openAccessFile } from "../../src/platform/http/door/access-file.ts";
import { socketAgent } from "../support/http-agent.ts";
import { odorobo } from "../support/run-odorobo.ts";
import { aTempFolder } from "../support/temp-folder.ts";

const SCHEMA = new URL("../../schemas/agent-access.schema.json", import.meta.url);

test("a token is made, rotated and revoked while an agent runs, and is nowhere but on stdout", async () => {
  await using folder = await aTempFolder();
  const path = join(folder.path, "access");
  await writeFile(path, "# who may what\n", { mode: 0o600 });
  await using agent = await socketAgent({ access: await openAccessFile(path) });
  const status = async (token: string) =>
    (await agent.fetch("/v1/report", { headers: { authorization: `Bearer ${token}` } })).status;
  const make = async (...argv: string[]) => {
    const made = await odorobo("agent", "token", "--access-file", path, "--name", "ci", ...argv);
    expect(made.code).toBe(0);
    const token = made.stdout.trim();
    expect(token).toMatch(/^odorobo_[\w-]{43}$/);
    expect(made.stderr).not.toContain(token);
    expect(await readFile(path, "utf8")).not.toContain(token);
    return token;
  };
  const first = await make("--role", "apply");
  expect(await status(first)).toBe(200);
  const second = await make("--rotate");
  expect([await status(first), await status(second)]).toEqual([401, 200]);
  expect((await odorobo("agent", "token", "--access-file", path, "--list")).stdout).toMatch(
    /^ci +apply +token +[0-9a-f]{12}…$/m,
  );
  expect((await odorobo("agent", "token", "--access-file", path, "--name", "ci", "--revoke")).code).toBe(0);
  expect(await status(second)).toBe(401);
  expect(await readFile(path, "utf8")).toBe("# who may what\n");
});

test("--json prints what the schema says", async () => {
  await using folder = await aTempFolder();
  const path = join(folder.path, "access");
  const validate = new Ajv2020().compile(JSON.parse(await readFile(SCHEMA, "utf8")));
  for (const rest of [
    ["--name", "ci", "--role", "observe"],
    ["--name", "ci", "--rotate"],
    ["--list"],
    ["--name", "ci", "--revoke"],
  ]) {
    const { code, stdout } = await odorobo("agent", "token", "--access-file", path, ...rest, "--json");
    expect([code, validate(JSON.parse(stdout)), validate.errors]).toEqual([0, true, null]);
  }
});

test("what makes no sense is refused and leaves the file as it was", async () => {
  await using folder = await aTempFolder();
  const path = join(folder.path, "access");
  const refused = async (...rest: string[]) => {
    const { code, stdout, stderr } = await odorobo("agent", "token", "--access-file", path, ...rest);
    expect([code, stdout]).toEqual([1, ""]);
    return stderr;
  };
  expect(await refused("--list")).toContain("there is no access file");
  expect(await refused("--name", "ci")).toContain("give --role");
  expect(await refused("--role", "admin")).toContain("--name");
  expect(await refused("--name", "../x", "--role", "admin")).toContain("cannot be a caller's name");
  expect(await refused("--name", "ci", "--rotate")).toContain("ci has no token");
  expect(await refused("--name", "ci", "--revoke")).toContain("ci is not in");
  await addToken(path, "ci", "observe", "a");
  expect(await refused("--name", "ci", "--role", "admin")).toContain("already");
  expect(await refused("--name", "ci", "--role", "root")).toContain("role");
  const text = `${await readFile(path, "utf8")}bob nonsense\n`;
  await writeFile(path, text);
  expect(await refused("--name", "ci", "--rotate")).toContain("line 2");
  expect(await readFile(path, "utf8")).toBe(text);
  expect(
    await odorobo("agent", "token", "--access-file", join(folder.path, "no/where"), "--name", "a", "--role", "admin"),
  ).toMatchObject({
    code: 1,
    stderr: expect.stringContaining("FILE_UNWRITABLE"),
  });
});

test("the file keeps its mode and its link, and is never readable by everybody", async () => {
  await using folder = await aTempFolder();
  const real = join(folder.path, "real");
  const link = join(folder.path, "link");
  await symlink("real", link);
  await writeFile(real, "", { mode: 0o600 });
  await chmod(real, 0o646);
  await addToken(link, "ci", "observe", "a");
  expect((await stat(real)).mode & 0o777).toBe(0o640);
  expect((await listAccess(real)).map(({ name }) => name)).toEqual(["ci"]);
  await addToken(join(folder.path, "new"), "ci", "observe", "a");
  expect((await stat(join(folder.path, "new"))).mode & 0o777).toBe(0o600);
});

test("many who change it at once take turns: nobody's change is lost", async () => {
  await using folder = await aTempFolder();
  const path = join(folder.path, "access");
  const names = Array.from({ length: 12 }, (_, index) => `caller-${index}`);
  await Promise.all(names.map((name) => addToken(path, name, "observe", name)));
  expect((await listAccess(path)).map(({ name }) => name).sort()).toEqual([...names].sort());
  await Promise.all(names.slice(1).map((name) => revokeCaller(path, name)));
  expect((await listAccess(path)).map(({ name }) => name)).toEqual(["caller-0"]);
});
