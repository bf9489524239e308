import { afterEach, beforeEach, expect, test } from "vitest";
import { vmName } from "../../src/model/names.ts";
import type { VmSpec } from "../../src/model/vm-spec.ts";
import { connectAgent } from "../../src/wire/client.ts";
import { aLiveFleet, type LiveFleet } from "../support/a-live-fleet.ts";
import { odorobo } from "../support/run-odorobo.ts";

let fleet: LiveFleet;
let at: string[];

beforeEach(async () => {
  fleet = await aLiveFleet("n1", "n2");
  at = ["--fleet", fleet.folder];
  await fleet.write("image.yaml", IMAGE);
  await fleet.vm("web-1", [...ON_N1, ...WITH_DISK]);
  await odorobo("apply", fleet.folder, "--yes");
});
afterEach(() => fleet[Symbol.asyncDispose]());

const ON_N1 = ["placement: { node: n1 }"];
const WITH_DISK = ["disks: [{ name: root, image: debian, size: 1GiB }]"];
const IMAGE = `apiVersion: odorobo.dev/v1
kind: Image
metadata: { name: debian }
spec: { path: /nowhere/debian.qcow2 }
`;

test("a deleted VM's disks are kept, are found, come back with the next apply, and go with a purge", async () => {
  const deletion = await odorobo("vm", "delete", "web-1", ...at, "--yes");
  expect(deletion).toMatchObject({ code: 0, stderr: "" });
  expect(deletion.stdout).toMatch(
    new RegExp(
      [
        /^web-1 on n1: running → deleted in .*/,
        /Its disks \(root\) are kept on n1 until 2\d{3}-.*Z\./,
        /To remove them before: odorobo vm purge web-1 --node n1/,
        /It stands in the manifests of fleet test: where no node has it, their next plan makes it again, .*\n$/,
      ]
        .map((line) => line.source)
        .join("\\n"),
    ),
  );
  expect((await odorobo("vm", "list", ...at)).stdout).toBe("No VMs.\n");
  expect((await odorobo("vm", "list", "--deleted", ...at)).stdout).toMatch(
    /^VM +NODE +FLEET +DELETED AT +KEPT UNTIL +DISKS\nweb-1 +n1 +test +2\S+Z +2\S+Z +root\n$/,
  );
  const list = JSON.parse((await odorobo("vm", "list", "--json", ...at)).stdout);
  expect(list).toMatchObject({ vms: [], deleted: [{ name: "web-1", node: "n1", disks: ["root"] }] });
  expect((await odorobo("vm", "info", "web-1", ...at)).stderr).toMatch(
    /web-1 is on no node that answered\nhint: it was deleted on n1 at .* apply its manifest to bring it back/,
  );

  await odorobo("apply", fleet.folder, "--yes");
  expect((await odorobo("vm", "list", "--deleted", ...at)).stdout).toBe("No deleted VMs: nothing is kept.\n");
  await odorobo("vm", "delete", "web-1", ...at, "--yes");
  expect(await odorobo("vm", "purge", "web-1", ...at, "--yes")).toEqual({
    code: 0,
    stdout: "web-1 on n1: purged (gone for good: root)\n",
    stderr: "",
  });
  expect((await odorobo("vm", "list", "--deleted", ...at)).stdout).toBe("No deleted VMs: nothing is kept.\n");
  // As if it had never been: the same steps again.
  expect((await odorobo("apply", fleet.folder, "--yes")).code).toBe(0);
  expect((await odorobo("vm", "list", ...at)).stdout).toMatch(/^web-1 +n1 +running/m);
});

test("what no manifest wants is not announced to come back", async () => {
  await fleet.remove("vms/web-1.yaml");
  await fleet.vm("web-2", ON_N1);
  expect((await odorobo("vm", "delete", "web-1", ...at, "--yes")).stdout).not.toContain("manifest");
});

test("without manifests the agent's word for its fleet is all there is", async () => {
  const agent = ["--agent", fleet.url("n1")];
  const deletion = await odorobo("vm", "delete", "web-1", ...agent, "--yes", "--grace", "0s");
  expect(deletion.stdout).toContain("Should it stand in the manifests of fleet test, their next plan makes it again");
  const purge = await odorobo("vm", "purge", "web-1", ...agent, "--yes", "--json");
  expect(JSON.parse(purge.stdout)).toMatchObject({ kind: "purge", outcome: "done", after: null });
});

test("where nobody can be asked, nothing is deleted or purged without --yes", async () => {
  expect(await odorobo("vm", "delete", "web-1", ...at)).toEqual({
    code: 3,
    stdout: "",
    stderr:
      "error  NOT_CONFIRMED  nobody is here to confirm: delete web-1\nhint: look at it with odorobo vm info, then give --yes\n",
  });
  expect((await odorobo("vm", "info", "web-1", ...at)).stdout).toMatch(/^phase +running/m);
  await odorobo("vm", "delete", "web-1", ...at, "--yes");
  expect(await odorobo("vm", "purge", "web-1", ...at)).toMatchObject({
    code: 3,
    stderr: expect.stringMatching(/nobody is here to confirm: purge web-1\nhint: .*vm list --deleted/),
  });
  expect((await odorobo("vm", "list", "--deleted", ...at)).stdout).toContain("root");
});

test("a protected VM is neither deleted nor asked about", async () => {
  await fleet.vm("web-1", [...ON_N1, ...WITH_DISK, "protect: true"]);
  await odorobo("apply", fleet.folder, "--yes");
  for (const yes of [[], ["--yes"]]) {
    expect(await odorobo("vm", "delete", "web-1", ...at, ...yes)).toEqual({
      code: 3,
      stdout: "",
      stderr: expect.stringMatching(
        /^error {2}PROTECTED {2}web-1 is protected: .*\nhint: apply it with protect: false/,
      ),
    });
  }
  expect((await odorobo("vm", "info", "web-1", ...at)).stdout).toMatch(/^phase +running/m);
});

test("only what was deleted is purged", async () => {
  expect(await odorobo("vm", "purge", "web-1", ...at, "--yes")).toMatchObject({
    code: 1,
    stderr: expect.stringMatching(/WRONG_PHASE {2}web-1 is on n1: .*\nhint: .*odorobo vm delete web-1\n$/),
  });
  await fleet.stop("n2");
  expect(await odorobo("vm", "purge", "web-9", ...at, "--yes")).toMatchObject({
    code: 1,
    stderr: expect.stringMatching(/NOT_FOUND {2}nothing is kept of web-9 on .*; n2 did not answer and may have it\n/),
  });
});

test("a VM with two homes is deleted on the node that is named, as the plan's hint says", async () => {
  await odorobo("vm", "delete", "web-1", ...at, "--yes");
  await fleet.vm("web-1", ["placement: { node: n2 }", ...WITH_DISK]);
  const blocked = await odorobo("plan", fleet.folder);
  expect(blocked).toMatchObject({ code: 3, stdout: expect.stringContaining("odorobo vm purge web-1 --node n1") });
  await odorobo("vm", "purge", "web-1", "--node", "n1", ...at, "--yes");
  expect((await odorobo("apply", fleet.folder, "--yes")).code).toBe(0);

  await makeOnToo("n1", await specOn("n2"));
  const plan = await odorobo("plan", fleet.folder);
  expect(plan.stdout).toContain(
    "delete the other: odorobo vm delete web-1 --node n1, or odorobo vm delete web-1 --node n2",
  );
  expect((await odorobo("vm", "delete", "web-1", ...at, "--yes")).stderr).toContain("--node NAME");
  expect((await odorobo("vm", "delete", "web-1", "--node", "n1", ...at, "--yes")).code).toBe(0);
  expect(await odorobo("plan", fleet.folder, "--detailed-exitcode")).toMatchObject({ code: 0, stderr: "" });
});

const NEVER = new AbortController().signal;

const specOn = async (node: string): Promise<VmSpec> => {
  const client = connectAgent({ address: fleet.url(node) });
  const { spec } = await client.vm(vmName("web-1"), NEVER);
  await client.close();
  return spec;
};

/** What no odorobo does: a second home. */
async function makeOnToo(node: string, spec: VmSpec): Promise<void> {
  const client = connectAgent({ address: fleet.url(node) });
  const request = { id: "by-hand", fleet: "test", commit: null, generation: 1, spec, files: {}, expect: null };
  await client.putVm(vmName("web-1"), request, NEVER);
  await client.close();
}
