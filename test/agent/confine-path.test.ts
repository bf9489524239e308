import { mkdir, rename, symlink, writeFile } from "node:fs/promises";
import { join, relative } from "node:path";
import fc from "fast-check";
import { expect, test } from "vitest";
import { confinePath } from "../../src/agent/confine-path.ts";
import { aTempFolder } from "../support/temp-folder.ts";

/** `allowed` is the root, `secret` lies beside it. */
async function aRoot() {
  const folder = await aTempFolder();
  const root = join(folder.path, "allowed");
  await mkdir(join(root, "sub"), { recursive: true });
  await mkdir(join(folder.path, "secret"));
  await writeFile(join(folder.path, "secret/file"), "");
  return { ...folder, root, outside: join(folder.path, "secret") };
}

const refusal = (message: RegExp) => ({ code: "PATH_NOT_ALLOWED", message: expect.stringMatching(message) });

test("what lies below a root is allowed, there or not yet", async () => {
  await using place = await aRoot();
  for (const path of ["sub", "sub/new", "new/deeper/file", "a b%n…é"]) {
    expect(await confinePath(join(place.root, path), [place.root])).toBe(join(place.root, path));
  }
  expect(await confinePath(`${place.root}/sub/../other/./x//y`, ["/nowhere", place.root])).toBe(
    join(place.root, "other/x/y"),
  );
  expect(await confinePath("/dev/null", ["/"])).toBe("/dev/null");
});

test("what lies elsewhere is not, however it is written; a root itself is not either", async () => {
  await using place = await aRoot();
  const { root, outside } = place;
  for (const path of [outside, `${root}/../secret`, `${root}/sub/../../secret/file`, `${root}-and-more`, "/", "/etc"]) {
    await expect(confinePath(path, [root])).rejects.toMatchObject(refusal(/outside of where/));
  }
  for (const path of [root, `${root}/`, `${root}/sub/..`]) {
    await expect(confinePath(path, [root])).rejects.toMatchObject(refusal(/outside of where/));
  }
  await expect(confinePath("sub/x", [root])).rejects.toMatchObject(refusal(/not absolute/));
  await expect(confinePath("", [root])).rejects.toMatchObject(refusal(/not absolute/));
  await expect(confinePath(`${root}/a\0b`, [root])).rejects.toMatchObject(refusal(/control characters/));
  await expect(confinePath(`${root}/a\nb`, [root])).rejects.toMatchObject(refusal(/control characters/));
  await expect(confinePath(`${root}/${"a/".repeat(2_100)}`, [root])).rejects.toMatchObject(refusal(/longer than 4095/));
  await expect(confinePath(`${root}/${"a".repeat(300)}`, [root])).rejects.toMatchObject(refusal(/cannot be followed/));
  await expect(confinePath(`${root}/sub/x`, [])).rejects.toMatchObject({
    hint: expect.stringContaining("--allow-path"),
  });
});

test("a link out is followed and refused, at the end, in the middle and to nowhere; one that stays in is followed", async () => {
  await using place = await aRoot();
  const { root, outside } = place;
  await symlink(outside, join(root, "out"));
  await symlink(join(outside, "not-yet"), join(root, "dangling"));
  await symlink("../../secret", join(root, "sub/up"));
  await symlink("sub", join(root, "in"));
  await symlink("circle", join(root, "circle"));
  for (const path of ["out", "out/file", "out/not-yet", "sub/up/file", "in/up"]) {
    await expect(confinePath(join(root, path), [root])).rejects.toMatchObject(refusal(/outside of where/));
  }
  await expect(confinePath(join(root, "dangling"), [root])).rejects.toMatchObject(refusal(/leads nowhere/));
  await expect(confinePath(join(root, "dangling/x"), [root])).rejects.toMatchObject(refusal(/leads nowhere/));
  await expect(confinePath(join(root, "circle/x"), [root])).rejects.toMatchObject(refusal(/cannot be followed/));
  await expect(confinePath(`${outside}/file/x`, [outside])).rejects.toMatchObject(refusal(/cannot be followed/));
  expect(await confinePath(join(root, "in/new"), [root])).toBe(join(root, "sub/new"));
});

test("a root that nobody has made yet is said to be missing", async () => {
  await using place = await aRoot();
  const root = join(place.path, "not-yet");
  await expect(confinePath(join(root, "x"), [root])).rejects.toMatchObject(
    refusal(/would be allowed, but .* is not there/),
  );
});

test("a root may be called by its link or by its real name", async () => {
  await using place = await aRoot();
  const link = join(place.path, "link");
  await symlink(place.root, link);
  for (const path of [join(link, "x"), join(place.root, "x")]) {
    expect(await confinePath(path, [link])).toBe(join(place.root, "x"));
  }
  await rename(place.root, join(place.path, "gone"));
  await expect(confinePath(join(link, "x"), [link])).rejects.toMatchObject({ code: "PATH_NOT_ALLOWED" });
});

test("what is allowed is below the root, whatever is asked for", async () => {
  await using place = await aRoot();
  const { root, outside } = place;
  await symlink(outside, join(root, "out"));
  await symlink("..", join(root, "sub/up"));
  const part = fc.constantFrom("..", ".", "", "sub", "out", "up", "file", "new", "secret", "allowed", "%n", "~");
  const parts = fc.array(part, { maxLength: 8 });
  await fc.assert(
    fc.asyncProperty(parts, async (names) => {
      const allowed = await confinePath(`${root}/${names.join("/")}`, [root]).catch((error) => {
        expect(error.code).toBe("PATH_NOT_ALLOWED");
        return null;
      });
      if (allowed !== null) expect(relative(root, allowed)).toMatch(/^(?!\.\.(\/|$)|out(\/|$)).+/);
    }),
  );
});
