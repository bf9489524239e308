/** From an address to a guest: a real QEMU boots from an image that its node fetched over HTTP, from a server that breaks off all the time. */
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect } from "vitest";
import type { Plan } from "../../src/plan/plan-document.ts";
import { anImageServer, breaksAtEveryTenth } from "../support/an-image-server.ts";
import { requires } from "../support/requirements.ts";
import { expectCode, expectNothingToDo } from "../support/system-scenario.ts";
import { PATIENT, systemTest } from "../support/system-world.ts";
import { until } from "../support/until.ts";

const MIB = 1024 * 1024;

/** Sixteen bits: writes a text to the first serial line, and halts. What firmware starts of a disk is its first sector. */
function bootSector(text: string): Buffer {
  const code = [
    ...[0x31, 0xc0, 0x8e, 0xd8, 0xfc], // ds = 0, forwards
    ...[0xbe, 0x16, 0x7c, 0xba, 0xf8, 0x03], // si = text, dx = 0x3f8
    ...[0xac, 0x84, 0xc0, 0x74, 0x03, 0xee, 0xeb, 0xf8], // each byte out, until zero
    ...[0xf4, 0xeb, 0xfd], // halt, for good
  ];
  const sector = Buffer.alloc(512);
  Buffer.from([...code, ...Buffer.from(`${text}\n\0`, "latin1")]).copy(sector);
  sector.writeUInt16LE(0xaa55, 510);
  return sector;
}

const sha256 = (bytes: Buffer): string => createHash("sha256").update(bytes).digest("hex");

describe.runIf(requires("a guest from an image that was fetched", "qemu-system-x86_64", "qemu-img"))(
  "an image that nodes fetch",
  PATIENT,
  () => {
    systemTest("is planned, fetched, booted from, kept by its bytes, and cleared up", async ({ world }) => {
      const made = async (text: string): Promise<Buffer> => {
        const [raw, qcow2] = [join(world.scratch, "disk.raw"), join(world.scratch, "disk.qcow2")];
        await writeFile(raw, Buffer.concat([bootSector(text), Buffer.alloc(16 * MIB - 512)]));
        execFileSync("qemu-img", ["convert", "-q", "-c", "-f", "raw", "-O", "qcow2", raw, qcow2]);
        return await readFile(qcow2);
      };
      const [first, second] = [await made("BOOTED FROM THE FIRST"), await made("BOOTED FROM THE SECOND")];
      await using server = await anImageServer({ "/1.qcow2": first, "/2.qcow2": second }, breaksAtEveryTenth);
      const n1 = await world.agent("n1", { hypervisors: ["qemu"] });
      await world.defaults({ hypervisor: "qemu" });
      const say = (file: string, bytes: Buffer) =>
        world.write(
          "image.yaml",
          "apiVersion: odorobo.dev/v1\nkind: Image\nmetadata: { name: os }\nspec:\n" +
            `  source: ${server.url(file)}\n  sha256: ${sha256(bytes)}\n`,
        );
      const vm = (name: string) =>
        world.vm(name, [
          "image: os",
          "size: 32MiB",
          "memory: 64MiB",
          "boot: { firmware: seabios, kernel: null }",
          "shutdownGrace: 0s",
        ]);
      await say("/1.qcow2", first);
      await vm("old");

      const plan = JSON.parse((await expectCode(world.cli("plan", world.fleet, "--json"), 0)).stdout) as Plan;
      expect(plan.steps.map(({ kind }) => kind)).toEqual(["fetch", "createVm", "bootVm"]);
      expect(plan.steps[0]).toMatchObject({
        node: "n1",
        image: "os",
        bytes: first.length,
        digest: `sha256:${sha256(first)}`,
      });
      const applied = await expectCode(world.cli("apply", world.fleet, "--yes"), 0);
      expect(applied.stderr).toMatch(/done +fetch image os to n1/);
      await until("it booted", async () => (await n1.serial("old")).includes("BOOTED FROM THE FIRST"), 60_000);
      await expectNothingToDo(world);

      // Other bytes by that name: the disk that is there stays over its own, and the plan says so.
      await say("/2.qcow2", second);
      await vm("new");
      const next = await expectCode(world.cli("plan", world.fleet), 0);
      expect(next.stdout).toContain(
        "this disk stays over the bytes that it was made over; new ones are made over the new",
      );
      await expectCode(world.cli("apply", world.fleet, "--yes"), 0);
      await until("it booted", async () => (await n1.serial("new")).includes("BOOTED FROM THE SECOND"), 60_000);
      await expectNothingToDo(world);
      await expectCode(world.cli("vm", "reboot", "old", "--fleet", world.fleet), 0);
      expect(await n1.serial("old")).not.toContain("SECOND");

      const listed = await expectCode(world.cli("image", "info", "os", "--fleet", world.fleet), 0);
      expect(listed.stdout).toContain("below    old/root");
      expect(listed.stdout).toContain("below    new/root");
      await expectCode(world.cli("destroy", world.fleet, "--yes", "--allow-destroy=10"), 0);
      const kept = await expectCode(world.cli("image", "prune", sha256(first).slice(0, 12), "--fleet", world.fleet), 0);
      expect(kept.stdout).toContain("disks stand on it: old/root");
      for (const name of ["old", "new"])
        await expectCode(world.cli("vm", "purge", name, "--fleet", world.fleet, "--yes"), 0);
      for (const bytes of [first, second]) {
        const gone = await expectCode(
          world.cli("image", "prune", sha256(bytes).slice(0, 12), "--fleet", world.fleet),
          0,
        );
        expect(gone.stdout).toMatch(/^removed os on n1/);
      }
      await n1.stop();
    });
  },
);
