import { expect, test } from "vitest";
import { instant } from "../../src/model/names.ts";
import type { ImageBelow, VmReport } from "../../src/model/observed-state.ts";
import { toVmList } from "../../src/report/lists.ts";
import { renderNodeInfo, toNodeInfo } from "../../src/report/node-info.ts";
import { renderVms } from "../../src/report/status-text.ts";
import { renderVm } from "../../src/report/vm-text.ts";
import { ABLE } from "../support/a-fleet.ts";
import { aNodeReport, aVmReport } from "../support/wire-builders.ts";

const PLAIN = { colour: false, changes: false };
const AT = instant("2026-01-01T12:00:05.000Z");
const NEXT = instant("2026-01-01T12:00:09.000Z");

test("what befell a guest stands below it, with its last words made harmless", () => {
  const vm = aVmReport("web-1", {
    phase: "crashed",
    reason: "killed by SIGKILL",
    restart: { attempts: 2, nextAt: NEXT, givenUp: false },
    lastEvent: {
      kind: "oom-kill",
      at: AT,
      message: "killed by SIGKILL: the kernel had no memory left for it",
      console: ["Out of memory", "\u001b[2Jgotcha"],
      log: ["vmm: exiting"],
    },
  });
  const text = renderVm(vm, "n1", PLAIN);
  expect(text).toContain("restart     due at 2026-01-01T12:00:09.000Z, after 2 in a row that did not last");
  expect(text.split("\n\n")[1]).toMatchInlineSnapshot(`
    "Last event: oom-kill at 2026-01-01T12:00:05.000Z: killed by SIGKILL: the kernel had no memory left for it
      its console said last
        Out of memory
        \\x1b[2Jgotcha
      its hypervisor said last
        vmm: exiting"
  `);
});

test("what a guest takes now, in the order in which the rules count", () => {
  const vm = aVmReport("web-1", {
    changeRules: [
      { path: "cpus.count", change: "raise", class: "live", note: null, max: 4 },
      { path: "memory.size", change: "raise", class: "live", note: "ACPI", max: 8192, multipleOf: 128 },
      { path: "disks.root", change: "remove", class: "reboot", note: "the guest boots from it" },
      { path: "passthrough.fs", change: "add", class: "live", note: null },
      { path: "passthrough.numa", change: "any", class: "reboot", note: "read only at boot" },
    ],
  });
  expect(renderVm(vm, "n1", { colour: false, changes: true }).split("\n\n").at(-1)).toMatchInlineSnapshot(`
    "What it takes now, the first rule that fits counts:
    FIELD           CHANGE                     CLASS   NOTE
    cpus.count      raise to 4                 live
    memory.size     raise to 8 GiB by 128 MiB  live    ACPI
    disks.root      remove                     reboot  the guest boots from it
    passthrough.fs  add                        live
    and 1 rule of passthrough fields that take no change while it runs: --json"
  `);
  const off = aVmReport("web-1", { phase: "stopped", live: null });
  expect(renderVm(off, "n1", { colour: false, changes: true })).toContain("every change is made with its next boot");
});

test.each([
  [{ attempts: 10, nextAt: null, givenUp: true }, "crashed, given up"],
  [{ attempts: 1, nextAt: NEXT, givenUp: false }, "crashed, to start again"],
] as const)("a list says plainly whether a guest that is down will start again: %j", (restart, phase) => {
  const report = aNodeReport("n1", { vms: [aVmReport("web-1", { phase: "crashed", restart })] });
  const { vms } = toVmList([{ name: report.node.name, reach: "answered", report }], null);
  expect(vms[0]?.restart).toEqual(restart);
  expect(renderVms(vms, { colour: false })).toMatch(new RegExp(`^web-1 +n1 +${phase} `, "m"));
});

test("sections that only the hypervisor reads are named where there are any", () => {
  const of = (passthrough: Record<string, unknown>) => {
    const vm = aVmReport("web-1");
    return renderVm({ ...vm, spec: { ...vm.spec, passthrough } }, "n1", PLAIN);
  };
  expect(of({ rng: {}, watchdog: true })).toMatch(/^passthrough +rng, watchdog$/m);
  expect(of({})).not.toContain("passthrough");
});

test("a guest that is awaited, and one that leaves", () => {
  const at = (role: "source" | "destination") =>
    renderVm(aVmReport("web-1", { migration: { role, since: AT, url: "tcp:10.0.0.2:49152" } }), "n1", PLAIN);
  expect(at("destination")).toContain("waits for its guest at tcp:10.0.0.2:49152 since 2026-01-01T12:00:05.000Z");
  expect(at("source")).toContain("its guest leaves for tcp:10.0.0.2:49152");
});

test("a node in full, and a silent one", () => {
  const report = aNodeReport("n1", {
    supervisor: "systemd",
    vms: [aVmReport("web-1"), aVmReport("web-2", { phase: "stopped", live: null })],
    unfinished: [{ id: "op-1", vm: aVmReport("web-1").name, kind: "boot", begunAt: AT }],
    unreadable: [{ name: aVmReport("web-3").name, problem: "record.json is cut off" }],
    whereabouts: [{ fleet: "shop", at: AT, homes: { [aVmReport("web-1").name]: aNodeReport("n1").node.name } }],
  });
  const info = toNodeInfo({ name: report.node.name, reach: "answered", report }, undefined, AT);
  expect(renderNodeInfo(info, { colour: false })).toMatchInlineSnapshot(`
    "name        n1
    state       up
    agent       version 0.1.0, up since 2026-01-01T12:00:00.000Z
    id          id-of-n1
    boot        boot-1
    supervisor  systemd
    cpus        1 of 8 in use
    memory      128 MiB of 16 GiB in use
    VMs         1 running, 1 stopped
    unfinished  boot of web-1, begun at 2026-01-01T12:00:05.000Z
    unreadable  web-3: record.json is cut off
    fleet shop  1 VM as told at 2026-01-01T12:00:05.000Z"
  `);
  expect(info).toMatchObject({ unfinished: report.unfinished, unreadable: report.unreadable });
  const silent = toNodeInfo({ name: report.node.name, reach: "silent", error: "refused" }, undefined, AT);
  expect(silent).toMatchObject({ unfinished: [], unreadable: [], whereabouts: [], hypervisors: [] });
  expect(renderNodeInfo(silent, { colour: false })).toMatchInlineSnapshot(`
    "name   n1
    state  silent: refused"
  `);
});

test("what each hypervisor of a node can and takes", () => {
  const nothing = Object.fromEntries(Object.keys(ABLE.live).map((key) => [key, false])) as typeof ABLE.live;
  const report = aNodeReport("n1", {
    hypervisors: [
      {
        kind: "qemu",
        version: "7.2",
        accelerator: "kvm",
        capabilities: { ...ABLE, live: { ...nothing, cpusUp: true } },
      },
      {
        kind: "noop",
        version: "1",
        untried: true,
        capabilities: { ...ABLE, live: nothing, pause: false, cloudInit: false, migrate: true, diskKinds: ["blank"] },
      },
    ],
  });
  const text = renderNodeInfo(toNodeInfo({ name: report.node.name, reach: "answered", report }, undefined, AT), PLAIN);
  expect(text.slice(text.indexOf("qemu"))).toMatchInlineSnapshot(`
    "qemu     7.2, kvm, pause, cloud-init
      live   more cpus
      takes  boot by firmware, kernel; disks image, blank, file, nbd, rbd, iscsi; NICs user, bridge, none
    noop     1, newer than any that odorobo was tried with, migrate
      live   nothing
      takes  boot by firmware, kernel; disks blank; NICs user, bridge, none"
  `);
});

test("images below disks, and nothing of them where an agent says nothing", () => {
  const [name, file] = ["root", "/images/a.qcow2"];
  const rows = (vm: Partial<VmReport>) => renderVm(aVmReport("web-1", vm), "n1", PLAIN).split("\n");
  const below = (more: object) =>
    rows({ images: [{ disk: name, file, ...more } as ImageBelow] }).find((row) => row.startsWith("below root"));
  expect(below({})).toMatch(/^below root +\/images\/a\.qcow2$/);
  expect(below({ pathNow: "/images/b.qcow2" })).toMatch(/a\.qcow2, and stays so; .* leads to \/images\/b\.qcow2 now$/);
  expect(below({ problem: { code: "IMAGE_LOST", message: "it is gone", hint: "bring it back" } })).toMatch(
    / it is gone: bring it back$/,
  );
  expect(rows({}).some((row) => /^(below|owed|drift|restart|migration)/.test(row))).toBe(false);
});

test("how often a guest was started in a row, and when it will be", () => {
  const restart = (attempts: number, nextAt: typeof NEXT | null, givenUp = false) =>
    renderVm(aVmReport("web-1", { phase: "crashed", restart: { attempts, nextAt, givenUp } }), "n1", PLAIN)
      .split("\n")
      .find((row) => row.startsWith("restart"))
      ?.replace(/^restart +/, "");
  expect(restart(0, NEXT)).toBe(`due at ${NEXT}`);
  expect(restart(1, NEXT)).toBe(`due at ${NEXT}, after 1 in a row that did not last`);
  expect(restart(2, null)).toBe("start 2 in a row, not known yet to last");
  expect(restart(9, null, true)).toBe("given up after 9 starts in a row that did not last; vm boot tries again");
});

test("a guest that has left is not said to leave", () => {
  const migration = { role: "source", since: AT, url: "tcp:10.0.0.2:49152" } as const;
  const text = renderVm(aVmReport("web-1", { phase: "stopped", live: null, migration }), "n1", PLAIN);
  expect(text).toContain(`its guest went to tcp:10.0.0.2:49152 at ${AT}`);
});

test("where all rules are shown none is said to be left out", () => {
  const changeRules = [{ path: "cpus.count", change: "raise", class: "live", note: null } as const];
  expect(renderVm(aVmReport("web-1", { changeRules }), "n1", { ...PLAIN, changes: true })).not.toContain("--json");
});

test("a guest's weights are told where it has any", () => {
  const weights = (cpu: number | null, io: number | null) => {
    const vm = aVmReport("web-1");
    const text = renderVm({ ...vm, spec: { ...vm.spec, weights: { cpu, io } } }, "n1", PLAIN);
    return /^weights +(.*)$/m.exec(text)?.[1];
  };
  expect(weights(200, 50)).toBe("cpu 200, io 50");
  expect(weights(200, null)).toBe("cpu 200");
  expect(weights(null, 50)).toBe("io 50");
  expect(weights(null, null)).toBeUndefined();
});
