/** What is taken for a guest below the run folder, and what is not. */
import { mkdir, readlink, symlink } from "node:fs/promises";
import { createServer } from "node:net";
import { join } from "node:path";
import { expect, test } from "vitest";
import { removeRunFolder } from "../../../src/agent/leftovers.ts";
import { findGuests } from "../../../src/agent/supervisor/find-guests.ts";
import type { Supervisor } from "../../../src/agent/supervisor/supervisor.ts";
import { aTempFolder } from "../../support/temp-folder.ts";

test("a link that somebody made with the capitals of an id is no second guest, and stays", async () => {
  await using folder = await aTempFolder();
  const vms = join(folder.path, "vms");
  await mkdir(join(vms, "01jab"), { recursive: true });
  const socket = join(vms, "01jab/ch.sock");
  const server = createServer((connection) => connection.destroy());
  await new Promise<void>((resolve) => server.listen(socket, resolve));
  try {
    await symlink("01jab", join(vms, "01JAB"));
    const nobody = { below: async () => [] } as unknown as Supervisor;
    const found = await findGuests(nobody, folder.path);
    expect([...found.values()]).toMatchObject([{ name: "01jab", who: `whoever answers on ${socket}` }]);
  } finally {
    await new Promise((resolve) => server.close(resolve));
  }
  await removeRunFolder("01jab", join(vms, "01jab"));
  expect(await readlink(join(vms, "01JAB"))).toBe("01jab");
});
