/** `init --image`: everything that a guest to log in to takes, and nothing that one has to write. */
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { KNOWN_IMAGES } from "../../src/commands/cli/init/known-images.ts";
import { odorobo } from "../support/run-odorobo.ts";
import { aTempFolder } from "../support/temp-folder.ts";

const KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIExample me@here";

test.each(Object.keys(KNOWN_IMAGES))("a fleet with %s is valid as it is written", async (name) => {
  await using home = await aTempFolder();
  await writeFile(join(home.path, "key.pub"), `${KEY}\n`);
  const folder = join(home.path, "fleet");
  const init = await odorobo(
    "init",
    folder,
    "--hypervisor",
    "qemu",
    "--image",
    name,
    "--ssh-key",
    join(home.path, "key.pub"),
  );
  expect(init).toMatchObject({ code: 0, stderr: "" });
  expect(init.stdout).toContain(`odorobo vm ssh hello --fleet ${folder}`);
  expect(await readFile(join(folder, "vms/hello.yaml"), "utf8")).toContain(`sshKeys: [${JSON.stringify(KEY)}]`);
  expect(await odorobo("validate", folder)).toMatchObject({ code: 0 });
});

test("an image of one's own, a name that is none, a private key, and a hypervisor without such a network", async () => {
  await using home = await aTempFolder();
  const init = (...flags: string[]) => odorobo("init", join(home.path, "fleet"), ...flags);
  expect((await init("--image", "debain-12", "--hypervisor", "qemu")).stderr).toBe(
    "error  USAGE  debain-12 is no image that odorobo knows by name\nhint: did you mean debian-12?\n",
  );
  expect((await init("--image", "debian-12", "--hypervisor", "cloud-hypervisor")).stderr).toContain("USAGE");
  await writeFile(join(home.path, "key"), "-----BEGIN OPENSSH PRIVATE KEY-----\nsecret\n");
  const secret = await init("--image", "debian-12", "--hypervisor", "qemu", "--ssh-key", join(home.path, "key"));
  expect(secret.stderr).toContain("holds no public SSH key");
  expect(secret.stderr).not.toContain("secret");
  await writeFile(join(home.path, "My Image.qcow2"), "");
  const own = await init("--image", join(home.path, "My Image.qcow2"), "--hypervisor", "qemu");
  expect(own).toMatchObject({ code: 0 });
  expect(await readFile(join(home.path, "fleet/images/my-image.yaml"), "utf8")).toContain("name: my-image");
});
