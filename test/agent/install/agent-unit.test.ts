/** The agent's unit as text, and the names of guests' units: what systemd reads must be what was meant. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { agentUnit, quoteForUnit } from "../../../src/agent/install/agent-unit.ts";
import { escapeInstance, unitName, unitPath } from "../../../src/agent/supervisor/systemd/unit-name.ts";
import { toArguments } from "../../../src/commands/cli/to-arguments.ts";

describe("the agent's unit", () => {
  test("starts what it was given, and leaves guests alone when it stops", () => {
    const unit = agentUnit(["/usr/bin/node", "/opt/odorobo/bin/run.js", "agent", "--name", "n1"], "/var/lib/odorobo");
    expect(unit).toContain("\nExecStart=/usr/bin/node /opt/odorobo/bin/run.js agent --name n1\n");
    for (const line of [
      "KillMode=process",
      "Restart=always",
      "WantedBy=multi-user.target",
      "Environment=UV_THREADPOOL_SIZE=16",
    ])
      expect(unit).toContain(`\n${line}\n`);
    // Where its data folder is another disk's, it waits for that disk.
    expect(unit).toContain("\nRequiresMountsFor=/var/lib/odorobo\n");
    expect(agentUnit(["/odorobo"], "/srv/a b/$x/100%")).toContain('\nRequiresMountsFor="/srv/a b/$x/100%%"\n');
    // systemd would remove the guests' sockets with it.
    expect(unit).not.toContain("RuntimeDirectory");
  });

  test.each([
    ["/srv/vms", "/srv/vms"],
    ["a b", '"a b"'],
    ["100%", "100%%"],
    ["$HOME", '"$$HOME"'],
    ['say "hi"', '"say \\"hi\\""'],
    ["back\\slash", '"back\\\\slash"'],
    ["two\nlines", '"two\\nlines"'],
    ["", '""'],
    [";", '";"'],
  ])("an argument %j is written %s", (argument, written) => {
    expect(quoteForUnit(argument)).toBe(written);
  });

  test("no argument ends the line", () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        const argument = text.replaceAll("\0", "");
        expect(quoteForUnit(argument)).not.toMatch(/[\n\r]/);
        expect(quoteForUnit(argument)).not.toBe("");
      }),
    );
    expect(() => quoteForUnit("a\0b")).toThrow("NUL");
  });
});

test("flags are given again as they were, with paths that do not depend on a folder", () => {
  expect(
    toArguments({
      name: "n1",
      listen: ["127.0.0.1:1", "unix:///run/a.sock"],
      data: "d",
      cpus: 4,
      landlock: true,
      qemu: "qemu-system-x86_64",
      "cloud-hypervisor": "./ch",
      run: undefined,
    }),
  ).toEqual([
    ...["--name", "n1", "--listen", "127.0.0.1:1", "--listen", "unix:///run/a.sock"],
    ...["--data", `${process.cwd()}/d`, "--cpus", "4", "--landlock", "--qemu", "qemu-system-x86_64"],
    ...["--cloud-hypervisor", `${process.cwd()}/ch`],
  ]);
});

describe("names of units", () => {
  test("people type the name of the VM", () => {
    expect(unitName("odorobo", "ch", "web-1")).toBe("odorobo-ch@web-1.service");
    expect(unitPath("odorobo-ch@web-1.service")).toBe(
      "/org/freedesktop/systemd1/unit/odorobo_2dch_40web_2d1_2eservice",
    );
  });

  test.each([
    ["../x", "\\x2e./x".replace("/", "\\x2f")],
    ["%n", "\\x25n"],
    ["a@b", "a\\x40b"],
    ["ü", "\\xc3\\xbc"],
    ["a\\x2d", "a\\x5cx2d"],
  ])("%j is escaped as systemd-escape does", (name, escaped) => {
    expect(escapeInstance(name)).toBe(escaped);
  });

  test("no two names share a unit, and every unit is one that systemd takes", () => {
    const anyName = fc.oneof(fc.string({ unit: "binary" }), fc.string({ minLength: 150, maxLength: 400 }));
    fc.assert(
      fc.property(anyName, anyName, (one, other) => {
        const [unit, second] = [unitName("odorobo", "ch", one), unitName("odorobo", "ch", other)];
        expect(unit).toMatch(/^odorobo-ch@[A-Za-z0-9:_.\\@-]+\.service$/);
        expect(unit.length).toBeLessThan(255);
        // Strings that are not well formed have no UTF-8 of their own.
        if (one.toWellFormed() !== other.toWellFormed()) expect(unit).not.toBe(second);
      }),
    );
  });
});
