/** Which version of a hypervisor takes in what runs on which: told before anything is begun. */
import { describe, expect, test } from "vitest";
import { sendsTo } from "../../src/model/cloud-hypervisor/version.ts";
import type { HypervisorReport, NodeReport } from "../../src/model/observed-state.ts";
import { whyItCannotArrive } from "../../src/placement/why-it-cannot-arrive.ts";
import { aSpec } from "../support/a-fleet.ts";

const CAPABILITIES = {
  pause: true,
  migrate: true,
  moves: { live: true, ownDisks: false },
  bootKinds: ["kernel"],
  diskKinds: [],
  nicKinds: [],
  cloudInit: true,
} as unknown as HypervisorReport["capabilities"];

function why(kind: "qemu" | "cloud-hypervisor", from: string, to: string): string | null {
  const of = (version: string): HypervisorReport => ({ kind, version, capabilities: CAPABILITIES });
  const applied = aSpec({
    hypervisor: kind,
    disks: [],
    nics: [],
    boot: { kind: "kernel", kernel: "builtin:tiny", initramfs: null, cmdline: "" },
  });
  return whyItCannotArrive({ applied, by: of(from), how: { mode: "live" } as never }, {
    hypervisors: [of(to)],
  } as unknown as NodeReport);
}

describe("Cloud Hypervisor", () => {
  test.each([
    ["53.0.0", "53.0.0"],
    ["53.1.0", "53.0.0"],
    ["50.2.0", "51.0.0"],
    ["53.0.0", "v54.0.0-dirty"],
  ])("%s goes to %s", (from, to) => {
    expect(why("cloud-hypervisor", from, to)).toBeNull();
  });

  test.each([
    ["54.0.0", "53.0.0"],
    ["51.0.0", "53.0.0"],
    ["50.0.0", "54.0.0"],
  ])("%s does not go to %s", (from, to) => {
    expect(why("cloud-hypervisor", from, to)).toBe(
      `has cloud-hypervisor ${to}, which does not take in what runs on ${from}`,
    );
  });

  test("a version that nobody can tell sends and takes nothing", () => {
    expect(sendsTo("main", "53.0.0")).toBe(false);
    expect(sendsTo("53.0.0", "")).toBe(false);
  });
});

test("QEMU's guests go to the same version, and any newer one", () => {
  expect(why("qemu", "7.2.22", "10.0.0")).toBeNull();
  expect(why("qemu", "10.0.0", "7.2.22")).toBe("has the older qemu 7.2.22, it runs on 10.0.0");
});
