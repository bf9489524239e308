/** Manifests that cannot be read or make no sense: every command that begins with them says so, and nobody is asked anything. */
import { chmod, mkdir, symlink, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect } from "vitest";
import { aDocument, aNode, aVm } from "../support/manifest-texts.ts";
import { expectRefusal, type Refusal } from "../support/system-refusal.ts";
import { PATIENT, type SystemWorld, systemTest } from "../support/system-world.ts";

interface BadSource extends Refusal {
  readonly what: string;
  /** Beside a fleet and a node that are as they should be. */
  readonly make: (world: SystemWorld) => Promise<unknown>;
  /** What the plan is asked for; the fleet's folder unless told. */
  readonly argv?: (world: SystemWorld) => string[];
}

const invalid = { exit: 1, code: "MANIFEST_INVALID" } as const;
const unreadable = { exit: 1, code: "SOURCE_UNREADABLE" } as const;

const BAD_SOURCES: readonly BadSource[] = [
  {
    what: "broken YAML",
    ...invalid,
    hint: "same column",
    make: (world) => world.write("web.yaml", "kind: [VirtualMachine\nmetadata: { name: web-1 }\n"),
    names: /^web\.yaml:\d+:\d+ .*error/m,
  },
  {
    what: "wrong types, all of them at once",
    ...invalid,
    hint: "write it as a list",
    make: (world) => world.write("web.yaml", aVm("web-1", "cpus: many\nmemory: [1]\ndisks: 7")),
    names: /web\.yaml:\d+:\d+[\s\S]*cpus[\s\S]*memory[\s\S]*disks/,
  },
  {
    what: "an unknown field",
    ...invalid,
    hint: 'did you mean "memory"',
    make: (world) => world.write("web.yaml", aVm("web-1", "memroy: 64MiB")),
    names: /web\.yaml:\d+:\d+[\s\S]*memroy/,
  },
  {
    what: "one name twice",
    ...invalid,
    hint: "the first one is in a.yaml:4",
    make: async (world) => {
      await world.write("a.yaml", aVm("web-1"));
      await world.write("b.yaml", aVm("web-1"));
    },
    names: /b\.yaml:\d+:\d+[\s\S]*web-1/,
  },
  {
    what: "a reference to nothing",
    ...invalid,
    hint: "no Profile at all",
    make: (world) => world.write("web.yaml", aVm("web-1", "profile: big")),
    names: /web\.yaml:\d+:\d+[\s\S]*big/,
  },
  {
    what: "a node that is nowhere",
    ...invalid,
    hint: 'did you mean "n1"',
    make: (world) => world.write("web.yaml", aVm("web-1", "placement: { node: n7 }")),
    names: /web\.yaml:\d+:\d+[\s\S]*n7/,
  },
  {
    what: "a cycle of profiles",
    ...invalid,
    hint: "remove one of these bases",
    make: async (world) => {
      await world.write(
        "profiles.yaml",
        `${aDocument("Profile", "a", "base: b")}---\n${aDocument("Profile", "b", "base: a")}`,
      );
      await world.write("web.yaml", aVm("web-1", "profile: a"));
    },
    names: /profiles\.yaml:\d+:\d+[\s\S]*a → b → a|b → a → b/,
  },
  {
    what: "a file of 100 MB",
    ...unreadable,
    make: async (world) => {
      await world.write("huge.yaml", "");
      await truncate(join(world.fleet, "huge.yaml"), 100 * 1024 * 1024);
    },
    names: /huge\.yaml has 100 MiB, more than the 4 MiB/,
    hint: "split it",
  },
  {
    what: "a binary file",
    ...unreadable,
    make: (world) => writeFile(join(world.fleet, "disk.yaml"), Buffer.from([0x7f, 0x45, 0x4c, 0x46, 0, 255, 1])),
    names: /disk\.yaml is a binary file/,
    hint: "UTF-8",
  },
  {
    what: "a link out of the folder",
    ...unreadable,
    make: (world) => symlink("/etc/passwd", join(world.fleet, "users.yaml")),
    names: /users\.yaml is a symbolic link that leaves/,
    hint: "within the folder",
  },
  {
    what: "no folder",
    ...unreadable,
    make: async () => {},
    argv: () => ["flete"],
    names: "flete is not there",
    hint: "path right",
  },
  {
    what: "a file instead of a folder",
    ...unreadable,
    make: async () => {},
    argv: (world) => [join(world.fleet, "fleet.yaml")],
    names: /fleet\.yaml is not a folder/,
    hint: "folder that holds the manifests",
  },
  {
    what: "an empty folder",
    exit: 3,
    code: "SOURCE_EMPTY",
    make: (world) => mkdir(join(world.scratch, "empty")),
    argv: () => ["empty"],
    names: "no manifests in empty",
    hint: "right folder",
  },
  {
    what: "a folder that is no repository",
    ...unreadable,
    make: async () => {},
    argv: (world) => ["--repo", world.fleet],
    names: /fleet is not a git repository/,
    hint: "leave --repo out",
  },
  {
    what: "a repository that is not there",
    ...unreadable,
    make: async () => {},
    argv: (world) => ["--repo", `file://${world.scratch}/none.git`, "--ref", "main"],
    names: /repository file:.*none\.git cannot be read/,
    hint: "ls-remote",
  },
];

describe.concurrent("sources on bad days", PATIENT, () => {
  systemTest.for(BAD_SOURCES)("$what", async (source, { world }) => {
    await world.write("node.yaml", aNode("n1"));
    await source.make(world);
    const argv = source.argv?.(world) ?? [world.fleet];
    const plan = await world.cli("plan", ...argv);
    expectRefusal(plan, source);
    expect(plan.stdout).toBe("");
  });

  systemTest("a folder that may not be read", async ({ world }) => {
    await world.write("node.yaml", aNode("n1"));
    await world.write("vms/web.yaml", aVm("web-1"));
    await chmod(join(world.fleet, "vms"), 0o000);
    const plan = await world.startUnprivileged("plan", world.fleet).ended;
    expectRefusal(plan, { ...unreadable, names: "vms may not be read by this user", hint: "right to read it" });
    await chmod(join(world.fleet, "vms"), 0o700);
  });

  systemTest(
    "apply, validate, status and destroy refuse them the same way; --json says it as a document",
    async ({ world }) => {
      await world.write("node.yaml", aNode("n1"));
      await world.write("web.yaml", aVm("web-1", "memroy: 64MiB"));
      const refusal = { ...invalid, hint: "did you mean", names: /web\.yaml:\d+:\d+/ };
      expectRefusal(await world.cli("apply", world.fleet, "--yes"), refusal);
      expectRefusal(await world.cli("status", world.fleet), refusal);
      expectRefusal(await world.cli("destroy", world.fleet, "--yes"), refusal);
      expect(await world.cli("validate", world.fleet)).toMatchObject({
        code: 1,
        stdout: expect.stringMatching(/web\.yaml:\d+:\d+/),
      });
      const json = await world.cli("plan", world.fleet, "--json");
      expect(json).toMatchObject({ code: 1, stderr: "" });
      expect(JSON.parse(json.stdout)).toMatchObject({ error: { code: "MANIFEST_INVALID" } });
    },
  );
});
