/** A VmConfig of 60 kB against the 51,200 bytes that Cloud Hypervisor takes until v53: told by the plan, not by the node. */
import { expect, test } from "vitest";
import { whyUnsupported } from "../../src/reconcile/check-support.ts";
import { ABLE } from "../support/a-fleet.ts";
import { aNodeReport, aWireSpec } from "../support/wire-builders.ts";

const spec = (cmdlineBytes: number) =>
  aWireSpec({
    hypervisor: "cloud-hypervisor",
    boot: { kind: "kernel", kernel: "/k", initramfs: null, cmdline: "x".repeat(cmdlineBytes) },
    disks: [],
    nics: [],
  });

const nodeWith = (version: string) =>
  aNodeReport("n1", { hypervisors: [{ kind: "cloud-hypervisor", version, capabilities: ABLE }] });

test.each(["50.0.0", "53.0.0"])("v%s cannot be given it", (version) => {
  expect(whyUnsupported(spec(60_000), nodeWith(version))).toMatch(
    new RegExp(
      `^has cloud-hypervisor ${version}, which would refuse it: the configuration has 6\\d{4} bytes, and this version takes 51200$`,
    ),
  );
  expect(whyUnsupported(spec(50_000), nodeWith(version))).toBeNull();
});

test("v54 can", () => {
  expect(whyUnsupported(spec(60_000), nodeWith("54.0.0"))).toBeNull();
});
