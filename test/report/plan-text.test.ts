import { expect, test } from "vitest";
import { instant, nodeName, vmName } from "../../src/model/names.ts";
import { renderPlanMarkdown } from "../../src/report/plan/plan-markdown.ts";
import { describeBase } from "../../src/report/plan/plan-summary.ts";
import { renderDiff, renderPlan } from "../../src/report/plan/plan-text.ts";
import { aPlan } from "../support/a-plan.ts";

const plain = { colour: false, verbose: false };

test("a plan says what, where, why and in which order, and what to type next", () => {
  const plan = aPlan()
    .change(
      "db-1",
      "reboot",
      "reboot",
      "n2",
      {
        field: "boot",
        class: "reboot",
        text: "boot.kernel /boot/a → /boot/b (read only at boot)",
        at: "vms/db.yaml:9",
      },
      { field: "labels", class: "metadata", text: "labels.tier gold → silver", at: "vms/db.yaml:5" },
    )
    .change("old-1", "destroy", "destroy", "n1", { text: "no longer in the manifests; its disks are kept for 7 days" })
    .change("web-1", "update", "live", "n1", { field: "cpus.count", text: "cpus.count 1 → 2", at: "vms/web.yaml:12" })
    .change("web-2", "create", "live", "n1", { text: "in the manifests, on no node", at: "vms/web.yaml:20" })
    .step("deleteVm", "old-1", "n1")
    .step("updateVm", "db-1", "n2")
    .step("updateVm", "web-1", "n1")
    .step("createVm", "web-2", "n1", "deleteVm old-1")
    .step("rebootVm", "db-1", "n2", "updateVm db-1")
    .step("bootVm", "web-2", "n1", "createVm web-2")
    .unchanged(12)
    .build();
  expect(renderPlan(plan, { ...plain, next: "odorobo apply plan.json" })).toMatchInlineSnapshot(`
    "Plan: 1 to create, 1 to update (live), 1 to reboot, 1 to destroy; 12 unchanged
    fleet demo, from ./fleet at commit 1a2b3c4d5e6f, seen at 2026-01-02T03:04:05.000Z, plan 0123456789abcdef

      ! db-1 on n2: reboot
          [reboot] boot.kernel /boot/a → /boot/b (read only at boot)  vms/db.yaml:9
          [metadata] labels.tier gold → silver  vms/db.yaml:5
      - old-1 on n1: destroy
          no longer in the manifests; its disks are kept for 7 days
      ~ web-1 on n1: update, live
          cpus.count 1 → 2  vms/web.yaml:12
      + web-2 on n1: create
          in the manifests, on no node  vms/web.yaml:20
      signs: + is made new   ~ changes where it is   ! is restarted
             - goes; its disks are kept for a while   [metadata] is only noted   [reboot] takes a restart

    6 steps, those of one number side by side where nodes and links allow:
      1. delete old-1 from n1, keeping its disks
         update db-1 on n2
         update web-1 on n1
      2. create web-2 on n1
         reboot db-1 on n2
      3. boot web-2 on n1

    To carry it out: odorobo apply plan.json"
  `);
});

test("nothing to do is said of what was seen, and only of that", () => {
  expect(renderPlan(aPlan().unchanged(3).build(), plain)).toMatchInlineSnapshot(`
    "Nothing to do: 3 VMs are as the manifests say.
    fleet demo, from ./fleet at commit 1a2b3c4d5e6f, seen at 2026-01-02T03:04:05.000Z, plan 0123456789abcdef"
  `);
  expect(renderPlan(aPlan().unchanged(1).only("web-1").build(), plain)).toContain(
    "Nothing to do: 1 selected VM is as the manifests say.",
  );
  const silent = renderPlan(
    aPlan().unchanged(3).silentNode("n3", "connection refused", "web-7", "web-8", "web-9").build(),
    plain,
  );
  expect(silent).toMatchInlineSnapshot(`
    "Nothing to do as far as could be seen: 3 VMs are as the manifests say; 3 VMs could not be seen.
    fleet demo, from ./fleet at commit 1a2b3c4d5e6f, seen at 2026-01-02T03:04:05.000Z, plan 0123456789abcdef

    Unknown, and therefore left alone:
      ? node n3: connection refused
      ? 3 VMs, web-7…web-9: may be on n3, which does not answer"
  `);
  expect(silent).not.toContain("To carry it out");
  const empty = renderPlan(aPlan().unchanged(3).silentNode("n3", "connection refused").build(), plain);
  expect(empty).toContain(
    "Nothing to do as far as could be seen: 3 VMs are as the manifests say; 1 node could not be seen.",
  );
});

test("what is refused is not called nothing to do", () => {
  const text = renderPlan(aPlan().refused("USAGE", "no VM answers to web-9", "targets are names").build(), plain);
  expect(text).toMatch(/^Refused: nothing is planned\./);
  expect(text).not.toContain("Nothing to do");
});

test("a refused plan offers no way to apply it, but the way out of the refusal", () => {
  const plan = aPlan()
    .change("db-1", "destroy", "destroy", "n1", { text: "no longer in the manifests" })
    .step("deleteVm", "db-1", "n1")
    .blocked(
      "db-2",
      "PROTECTED",
      "db-2 on n1 is protected, and no longer in the manifests",
      "first apply protect: false",
    )
    .refused("PLAN_REFUSED", "1 VM would be destroyed and 0 may be", "odorobo apply --allow-destroy 1")
    .build();
  const text = renderPlan(plan, plain);
  expect(text).toMatchInlineSnapshot(`
    "Plan: 1 to destroy; 1 blocked
    fleet demo, from ./fleet at commit 1a2b3c4d5e6f, seen at 2026-01-02T03:04:05.000Z, plan 0123456789abcdef

      - db-1 on n1: destroy
          no longer in the manifests
      signs: - goes; its disks are kept for a while

    Blocked (the rest of the plan stands):
      x db-2 on n1 is protected, and no longer in the manifests (PROTECTED)
          hint: first apply protect: false

    Refused:
      x 1 VM would be destroyed and 0 may be (PLAN_REFUSED)
          hint: odorobo apply --allow-destroy 1

    1 step:
      1. delete db-1 from n1, keeping its disks

    This plan will not be applied as it stands."
  `);
  expect(text).not.toContain("To carry it out");
});

test("twenty VMs that change alike are one block with every name in it", () => {
  const plan = aPlan();
  for (let i = 1; i <= 20; i++) {
    plan.change(`web-${i}`, "update", "live", `n${1 + (i % 2)}`, {
      field: "cpus.count",
      text: "cpus.count 1 → 2",
      at: "profiles.yaml:7",
    });
    plan.step("updateVm", `web-${i}`, `n${1 + (i % 2)}`);
  }
  plan.change("web-x", "update", "live", "n1", { field: "cpus.count", text: "cpus.count 1 → 4", at: "vms/x.yaml:7" });
  for (let i = 0; i < 20; i++) plan.step("bootVm", `late-${i}`, "n1", "updateVm web-1");
  const text = renderPlan(plan.build(), plain);
  expect(text).toMatchInlineSnapshot(`
    "Plan: 21 to update (live)
    fleet demo, from ./fleet at commit 1a2b3c4d5e6f, seen at 2026-01-02T03:04:05.000Z, plan 0123456789abcdef

      ~ 20 VMs: update, live
          web-1…web-20
          on n1 (10), n2 (10)
          cpus.count 1 → 2  profiles.yaml:7
      ~ web-x on n1: update, live
          cpus.count 1 → 4  vms/x.yaml:7
      signs: ~ changes where it is

    40 steps, those of one number side by side where nodes and links allow (--verbose lists them):
      1. update 20 VMs on n1 (10), n2 (10)
      2. boot 20 VMs on n1 (20)

    To carry it out: odorobo apply"
  `);
  const verbose = renderPlan(plan.build(), { colour: false, verbose: true });
  for (let i = 1; i <= 20; i++) expect(verbose).toContain(`web-${i} on n${1 + (i % 2)}\n`);
});

test("a reason that names its VM does not keep like changes apart, and a VM's name inside another stays whole", () => {
  const plan = aPlan();
  for (const name of ["a", "b", "c", "d"])
    plan.change(name, "boot", "live", "n1", {
      because: "state",
      text: `${name} should run on n1 and a-x is not ${name}`,
      at: `${name}.yaml:1`,
    });
  expect(renderDiff(plan.build(), plain)).toMatchInlineSnapshot(`
    "Plan: 4 to boot
    fleet demo, from ./fleet at commit 1a2b3c4d5e6f, seen at 2026-01-02T03:04:05.000Z, plan 0123456789abcdef

      > 4 VMs: boot
          a on n1, b on n1, c on n1, d on n1
          the VM should run on its node and a-x is not the VM  a.yaml:1 and others
      signs: > is started"
  `);
});

test("escape sequences in names and texts are spelled out, never sent to the terminal", () => {
  const plan = aPlan()
    .change("web-1", "update", "live", "n1", { text: "labels.x \u001b[2K\u001b[1A → \u202egnp" })
    .silentNode("n2", "\u001b]0;owned\u0007")
    .build();
  const text = renderPlan(plan, plain);
  // biome-ignore lint/suspicious/noControlCharactersInRegex: it is what must not be there.
  expect(text).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u202e]/);
  expect(text).toContain("\\x1b[2K");
});

test("colour is added only when told, and changes no letter", () => {
  const plan = aPlan()
    .change("web-1", "create", "live", "n1", { text: "on no node" })
    .step("createVm", "web-1", "n1")
    .build();
  const coloured = renderPlan(plan, { colour: true, verbose: false });
  expect(coloured).toContain("\u001b[");
  // biome-ignore lint/suspicious/noControlCharactersInRegex: colours are control characters.
  expect(coloured.replace(/\u001b\[\d+m/g, "")).toBe(renderPlan(plan, plain));
});

test("moves say from where to where, alone and together, and only those that leave the same way are one", () => {
  const moving = (count: number, from: string) => {
    const builder = aPlan();
    for (let index = 1; index <= count; index++)
      builder.change(`web-${index}`, "replace", "replace", "n2", {
        text: `web-${index} leaves ${from} for n2`,
      });
    const plan = builder.build();
    return { ...plan, changes: plan.changes.map((change) => ({ ...change, fromNode: nodeName(from) })) };
  };
  expect(renderPlan(moving(1, "n1"), plain)).toContain("web-1 from n1 to n2: replace");
  const together = renderPlan(moving(4, "n1"), plain);
  expect(together).toContain("4 VMs: replace");
  expect(together).toContain("the VM leaves its old node for its node");
  const stays = moving(4, "n1");
  const [first, ...others] = stays.changes;
  const mixed = renderPlan({ ...stays, changes: [{ ...first!, fromNode: null }, ...others] }, plain);
  expect(mixed).toContain("web-1 on n2: replace");
  expect(mixed).not.toContain("4 VMs");
});

test("what waits for its window is told with when it opens and where that is written, and is not among what is done", () => {
  const { changes } = aPlan()
    .change("db-1", "reboot", "reboot", "n2", { text: "boot.kernel /boot/a → /boot/b" })
    .build();
  const [change] = changes;
  if (change === undefined) throw new Error("no change");
  const source = { file: "groups.yaml", line: 7, column: 5 };
  const instantOf = (text: string) => instant(`2026-01-04T${text}:00.000Z`);
  const text = "Sun 02:00-04:00 UTC, of group db";
  const sunday = { opens: instantOf("02:00"), closes: instantOf("04:00"), text, source };
  const never = { opens: null, closes: null, text: "no window is written for it", source: null };
  const plan = {
    ...aPlan().unchanged(2).build(),
    waiting: [
      { change, window: sunday },
      { change: { ...change, name: vmName("db-2") }, window: sunday },
      { change: { ...change, name: vmName("web-1") }, window: never },
    ],
  };
  expect(renderPlan(plan, plain)).toMatchInlineSnapshot(`
    "Nothing to do now: 2 VMs are as the manifests say, 3 changes wait for a window.
    fleet demo, from ./fleet at commit 1a2b3c4d5e6f, seen at 2026-01-02T03:04:05.000Z, plan 0123456789abcdef

    Waits for its window, and is not done by this plan:
      opens 2026-01-04 02:00 UTC, closes 2026-01-04 04:00 UTC (Sun 02:00-04:00 UTC, of group db)  groups.yaml:7
      ! db-1 on n2: reboot
          boot.kernel /boot/a → /boot/b
      ! db-2 on n2: reboot
          boot.kernel /boot/a → /boot/b
      no window is written for it: it waits until there is one
      ! web-1 on n2: reboot
          boot.kernel /boot/a → /boot/b"
  `);
  expect(renderPlanMarkdown(plan)).toContain("Waits for its window");
});

test("what a plan was made from: the commit, and which VMs were asked for", () => {
  const plan = aPlan().build();
  const base = (over: object) =>
    describeBase({ ...plan, base: { ...plan.base, source: "./fleet", commit: null, selection: null, ...over } });
  const seen = `seen at ${plan.base.observedAt}`;
  expect(base({})).toBe(`./fleet, ${seen}`);
  expect(base({ commit: "0123456789abcdef" })).toBe(`./fleet at commit 0123456789ab, ${seen}`);
  expect(base({ selection: { targets: ["web-*", "db-1"], excludes: [] } })).toBe(`./fleet, ${seen}, only web-* db-1`);
  expect(base({ selection: { targets: [], excludes: ["web-1"] } })).toBe(`./fleet, ${seen}, without web-1`);
  expect(base({ outsideWindows: true, assumed: ["n1=down", "n2=fenced"] })).toBe(
    `./fleet, ${seen}, whatever the windows, assuming n1=down n2=fenced`,
  );
});
