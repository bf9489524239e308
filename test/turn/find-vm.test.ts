import { expect, test } from "vitest";
import { vmName } from "../../src/model/names.ts";
import { findGuest, findVm } from "../../src/turn/find-vm.ts";
import { aFleet } from "../support/a-fleet.ts";

const fleet = aFleet().nodes("n1", "n2", "n3").vm("web-1", { on: "n1" }).vm("web-2", { on: "n2" });

test("a VM is where an agent says that it is", () => {
  expect(findVm(vmName("web-2"), fleet.asDesired().observed())).toMatchObject({ node: "n2", vm: { name: "web-2" } });
});

test("of a VM with two homes none is chosen", () => {
  const twice = fleet.asDesired().has("web-1", "n3").observed();
  expect(() => findVm(vmName("web-1"), twice)).toThrowError(
    expect.objectContaining({ code: "USAGE", message: "web-1 exists on n1 and n3" }),
  );
});

test("of two homes the guest is where it runs: the node that it left by hand still has its record", () => {
  const left = fleet.asDesired().has("web-1", "n1", { phase: "stopped" }).has("web-1", "n3").observed();
  expect(findGuest(vmName("web-1"), left)).toMatchObject({ node: "n3" });
  const off = fleet
    .asDesired()
    .has("web-1", "n1", { phase: "stopped" })
    .has("web-1", "n3", { phase: "crashed" })
    .observed();
  expect(() => findGuest(vmName("web-1"), off)).toThrowError(expect.objectContaining({ code: "USAGE" }));
  expect(findGuest(vmName("web-2"), fleet.asDesired().observed())).toMatchObject({ node: "n2" });
});

test("a VM that nobody has: not found, and who was silent may have it", () => {
  expect(() => findVm(vmName("web-3"), fleet.asDesired().silent("n3").observed())).toThrowError(
    expect.objectContaining({
      code: "NOT_FOUND",
      message: expect.stringContaining("n3 did not answer and may have it"),
      // The name is right as far as anybody knows: not another VM is what was meant.
      hint: "odorobo node list says why they do not answer; try again when they do",
    }),
  );
  expect(() => findVm(vmName("web-3"), fleet.asDesired().observed())).toThrowError(
    expect.objectContaining({ code: "NOT_FOUND", hint: "did you mean web-1?" }),
  );
});
