/** What the user of the guests is let at, and above all what not. Needs root, to give files away. */
import { chmod, lstat, mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { NEEDS_NOTHING, type ProcessNeeds } from "../../../src/agent/launch-command.ts";
import { grantAccess } from "../../../src/agent/supervisor/systemd/grant-access.ts";
import { aTempFolder } from "../../support/temp-folder.ts";

/** Nobody's. */
const USER = { name: "guests", group: "guests", uid: 64_321, gid: 64_321 };

async function aHost() {
  const temp = await aTempFolder();
  // As in real life, others may pass.
  await chmod(temp.path, 0o755);
  const data = join(temp.path, "data");
  const run = join(temp.path, "run");
  const vm = { runFolder: join(run, "vms/web-1"), logFolder: join(data, "vms/web-1/logs") };
  for (const folder of [vm.runFolder, vm.logFolder, join(data, "vms/web-1/disks"), join(data, "vms/web-2/disks")])
    await mkdir(folder, { recursive: true, mode: 0o700 });
  const put = async (path: string) => {
    await writeFile(path, "", { mode: 0o600 });
    return path;
  };
  return {
    folder: temp.path,
    data,
    ...vm,
    put,
    grant: (needs: Partial<ProcessNeeds>) =>
      grantAccess(
        {
          workingFolder: vm.runFolder,
          outputFile: join(vm.logFolder, "qemu.log"),
          needs: { ...NEEDS_NOTHING, ...needs },
        },
        USER,
        [data, run],
      ),
    [Symbol.asyncDispose]: () => temp[Symbol.asyncDispose](),
  };
}

const facts = async (path: string) => {
  const { gid, mode } = await lstat(path);
  return `${gid} ${(mode & 0o7777).toString(8)}`;
};

describe.runIf(process.getuid?.() === 0)("the user of the guests", () => {
  test("is let at the run folder, the log folder and the disks of the VM, and at nothing beside them", async () => {
    await using host = await aHost();
    const disk = await host.put(join(host.data, "vms/web-1/disks/root.raw"));
    const kept = await host.put(join(host.data, "vms/web-1/disks/old.raw.kept-1"));
    const log = await host.put(join(host.logFolder, "console.log"));
    await host.grant({ writes: [host.logFolder, disk] });
    expect(await facts(host.runFolder)).toBe(`${USER.gid} 770`);
    expect(await facts(log)).toBe(`${USER.gid} 660`);
    expect(await facts(disk)).toBe(`${USER.gid} 660`);
    expect(await facts(kept)).toBe("0 600");
  });

  test("is told that it cannot get to where it should write or read, and by which folder", async () => {
    await using host = await aHost();
    // Below /tmp a process sees a place of its own: this is not there.
    const closed = await mkdtemp("/run/odo-");
    try {
      await mkdir(join(closed, "kept"));
      for (const needs of [{ writes: [join(closed, "kept")] }, { reads: [join(closed, "kept")] }])
        await expect(host.grant(needs)).rejects.toMatchObject({
          code: "STORAGE_FAILED",
          message: expect.stringContaining(`may not pass through ${closed}`),
          hint: `chmod o+x ${closed}`,
        });
      await chmod(closed, 0o711);
      await host.grant({ writes: [join(closed, "kept")] });
      expect(await facts(join(closed, "kept"))).toBe(`${USER.gid} 775`);
    } finally {
      await rm(closed, { recursive: true });
    }
  });

  test("is let at no file of a folder that others use, too", async () => {
    await using host = await aHost();
    const shared = join(host.folder, "shared");
    await mkdir(shared);
    const theirs = await host.put(join(shared, "theirs"));
    // Where everybody may write nothing needs to be given.
    await chmod(shared, 0o1777);
    await host.grant({ writes: [shared] });
    expect([await facts(shared), await facts(theirs)]).toEqual(["0 1777", "0 600"]);
    await chmod(shared, 0o755);
    await expect(host.grant({ writes: [shared] })).rejects.toMatchObject({ code: "STORAGE_FAILED" });
    expect([await facts(shared), await facts(theirs)]).toEqual(["0 755", "0 600"]);
    const empty = join(host.folder, "empty");
    await mkdir(empty, { mode: 0o700 });
    await host.grant({ writes: [empty] });
    expect(await facts(empty)).toBe(`${USER.gid} 770`);
  });

  test("is never let at a folder that holds the agent's own", async () => {
    await using host = await aHost();
    const audit = await host.put(join(host.data, "audit.log"));
    for (const folder of [host.data, join(host.data, "vms"), join(host.data, "vms/web-1"), host.folder]) {
      const before = await facts(folder);
      await expect(host.grant({ writes: [folder] })).rejects.toMatchObject({ code: "STORAGE_FAILED" });
      expect(await facts(folder)).toBe(before);
    }
    expect(await facts(audit)).toBe("0 600");
  });

  test("is let at no target of a link that lies where it may write", async () => {
    await using host = await aHost();
    const secret = await host.put(join(host.folder, "secret"));
    await symlink(secret, join(host.logFolder, "console.log"));
    await host.grant({ writes: [host.logFolder] });
    expect(await facts(secret)).toBe("0 600");
  });
});
