/** What became of a guest, told from vm.info and its events together. */
import { describe, expect, test } from "vitest";
import {
  type GuestHistory,
  lastWord,
  NO_HISTORY,
  toGuestStatus,
  toHypervisorEvent,
  withEvent,
} from "../../../src/agent/hypervisor/cloud-hypervisor/history.ts";

const historyOf = (events: readonly string[], begin: GuestHistory = NO_HISTORY): GuestHistory =>
  events.reduce((history, name) => {
    const [source = "", event = ""] = name.split("/");
    return withEvent(history, { seconds: 0, source, event, properties: {} });
  }, begin);

const BOOTED = ["vmm/starting", "vm/booting", "vm/booted"];

describe("a process that answers", () => {
  test.each([
    ["Running", "running"],
    ["Paused", "paused"],
    ["BreakPoint", "paused"],
  ] as const)("%s is %s", (state, phase) => {
    expect(toGuestStatus({ state, device_tree: {} }, historyOf(BOOTED))).toEqual({ phase });
  });

  test.each([
    [
      "the guest powered itself off",
      historyOf([...BOOTED, "vm/shutdown"]),
      { state: "Created" },
      "guest",
      /powered itself off/,
    ],
    ["the event of it has not come yet", historyOf(BOOTED), { state: "Created" }, "guest", /powered itself off/],
    [
      "it was shut down by hand",
      { ...historyOf(BOOTED), intent: "vm.shutdown" },
      { state: "Created" },
      "guest",
      /by hand/,
    ],
    ["it was deleted by hand", historyOf(BOOTED), null, "guest", /by hand/],
    ["it was defined and never booted", historyOf(["vmm/starting"]), { state: "Created" }, "failure", /never booted/],
    ["it is empty", historyOf(["vmm/starting"]), null, "failure", /never booted/],
    ["its boot broke", historyOf(["vm/booting"]), { state: "Created", device_tree: {} }, "failure", /boot broke off/],
    [
      "its reboot broke",
      historyOf([...BOOTED, "vm/rebooting"]),
      { state: "Created", device_tree: {} },
      "failure",
      /reboot broke off/,
    ],
    [
      "its reboot left nothing",
      historyOf([...BOOTED, "vm/rebooting"]),
      { state: "Created" },
      "failure",
      /reboot failed/,
    ],
  ] as const)("%s", (_what, history, info, endedBy, reason) => {
    expect(toGuestStatus(info, history)).toEqual({ phase: "off", endedBy, reason: expect.stringMatching(reason) });
  });

  test("a guest that was started again is not off for what was before", () => {
    expect(historyOf([...BOOTED, "vm/shutdown", "vm/booting", "vm/booted"])).toMatchObject({
      ran: true,
      wentOff: false,
    });
  });
});

test("events that come late do not undo what was asked for and told since", () => {
  const asked: GuestHistory = { ...NO_HISTORY, ran: true, intent: "vm.shutdown", toldOff: true };
  expect(historyOf(["vm/booting", "vm/booted", "vm/shutdown"], asked)).toMatchObject({
    intent: "vm.shutdown",
    toldOff: true,
    wentOff: true,
  });
  expect(historyOf(["vm/shutdown", "vm/booted"], asked)).toMatchObject({
    intent: null,
    toldOff: false,
    wentOff: false,
  });
  expect(historyOf(["vm/rebooting", "vm/rebooted"], { ...asked, intent: "vm.reboot" }).intent).toBeNull();
});

describe("a process that is gone", () => {
  const SIGTERM = ["vm/shutdown", "vm/deleted", "vmm/shutdown"];

  test("had a guest that powered itself off before", () => {
    expect(lastWord({ ...historyOf([...BOOTED, "vm/shutdown"]), version: "53.0.0" })).toMatchObject({
      phase: "off",
      endedBy: "guest",
    });
  });

  test("was ended from outside", () => {
    expect(lastWord({ ...historyOf([...BOOTED, ...SIGTERM]), version: "53.0.0" })).toBeNull();
    expect(lastWord({ ...historyOf(BOOTED), version: "53.0.0" })).toBeNull();
    expect(lastWord({ ...historyOf(BOOTED), version: "51.0.0" })).toBeNull();
  });

  test("before v52 it goes with its guest, so the guest is believed", () => {
    expect(lastWord({ ...historyOf([...BOOTED, ...SIGTERM]), version: "51.0.0" })).toMatchObject({
      phase: "off",
      endedBy: "guest",
    });
  });

  test("was ended by our own call", () => {
    const asked: GuestHistory = { ...historyOf(BOOTED), intent: "vmm.shutdown" };
    expect(lastWord({ ...historyOf(SIGTERM, asked), version: "53.0.0" })).toMatchObject({
      endedBy: "guest",
      reason: expect.stringMatching(/by hand/),
    });
  });

  test("has handed its guest over", () => {
    const events = [...BOOTED, "vm/migration-started", "vm/migration-finished", "vm/deleted", "vmm/shutdown"];
    expect(lastWord({ ...historyOf(events), version: "53.0.0" })).toMatchObject({
      reason: expect.stringMatching(/another host/),
    });
  });
});

test("a migration is followed from both ends", () => {
  expect(historyOf(["vm/migration-receive-ready"]).receiving).toBe(true);
  expect(historyOf(["vm/migration-receive-ready", "vm/migration-receive-failed"]).receiving).toBe(false);
  expect(
    historyOf(["vm/migration-receive-ready", "vm/migration-receive-started", "vm/migration-receive-finished"]),
  ).toMatchObject({
    receiving: false,
    ran: true,
  });
  expect(historyOf([...BOOTED, "vm/migration-started", "vm/migration-failed"]).sending).toBe("failed");
});

test("people are told of reboots and panics, not of what they asked for themselves", () => {
  const event = (source: string, name: string, properties = {}) => ({ seconds: 0, source, event: name, properties });
  expect(toHypervisorEvent(historyOf(BOOTED), event("vm", "rebooted"))).toMatchObject({ kind: "reboot" });
  expect(toHypervisorEvent({ ...historyOf(BOOTED), intent: "vm.reboot" }, event("vm", "rebooted"))).toBeNull();
  expect(toHypervisorEvent(historyOf(BOOTED), event("guest", "panic", { event: "panic" }))).toMatchObject({
    kind: "panic",
  });
  expect(toHypervisorEvent(historyOf(BOOTED), event("guest", "panic", { event: "crash_loaded" }))?.message).toMatch(
    /crash dump/,
  );
  expect(toHypervisorEvent(historyOf(BOOTED), event("vm", "booted"))).toBeNull();
});
