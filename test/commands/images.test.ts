/** `odorobo image …` over agents in this process. */
import { expect, test } from "vitest";
import { aLiveFleet } from "../support/a-live-fleet.ts";
import { expectValid } from "../support/expect-valid.ts";
import { odorobo } from "../support/run-odorobo.ts";

test("nodes without images say so, and one that does not answer is named", async () => {
  await using fleet = await aLiveFleet("n1", "n2");
  const at = ["--fleet", fleet.folder];
  expect(await odorobo("image", "list", ...at)).toMatchObject({ code: 0, stdout: "No node has fetched an image.\n" });
  expect(await odorobo("image", "prune", ...at)).toMatchObject({ code: 0, stdout: "No node has fetched an image.\n" });
  expect(await odorobo("image", "info", "debian-12", ...at)).toMatchObject({
    code: 1,
    stderr: expect.stringContaining("no node that answers has fetched an image debian-12"),
  });
  await fleet.stop("n2");
  const listed = await odorobo("image", "list", ...at);
  expect(listed).toMatchObject({ code: 4, stderr: expect.stringContaining("n2 did not answer") });
});

test("an image that a VM uses is pulled by its name; what went wrong is told for each node", async () => {
  await using fleet = await aLiveFleet("n1");
  await fleet.write(
    "image.yaml",
    "apiVersion: odorobo.dev/v1\nkind: Image\nmetadata: { name: deb }\nspec:\n" +
      `  source: file:///nowhere/deb.qcow2\n  sha256: ${"ab".repeat(32)}\n`,
  );
  await fleet.vm("web-1", ["image: deb", "size: 1GiB"]);
  const at = ["--fleet", fleet.folder];
  const pulled = await odorobo("image", "pull", "deb", ...at);
  expect(pulled).toMatchObject({
    code: 1,
    stdout: expect.stringContaining("/nowhere/deb.qcow2 cannot be read on this node"),
  });
  const document = JSON.parse((await odorobo("image", "pull", "deb", ...at, "--json")).stdout);
  expectValid(document, "image-pull");
  expect(document.nodes).toMatchObject([{ node: "n1", outcome: "failed", error: { code: "IMAGE_REFUSED" } }]);
  expect((await odorobo("image", "pull", "other", ...at)).stderr).toContain(
    "no VM of the fleet has a disk over an Image other",
  );
});
