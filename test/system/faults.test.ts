/** A short run of the random faults: that the harness works, and that one seed holds. More: docs/testing.md. */
import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { listFaults } from "../../faults/list-faults.ts";
import { requires } from "../support/requirements.ts";

const RUN = fileURLToPath(new URL("../../faults/run.ts", import.meta.url));
const SEED = process.env.ODOROBO_FAULTS_SEED ?? "1";
const COUNT = 40;
const PATIENCE_MS = 300_000;

describe("random faults", () => {
  test("are the same for the same seed, and others for another", () => {
    expect(listFaults(7, 60)).toEqual(listFaults(7, 60));
    expect(listFaults(7, 60)).not.toEqual(listFaults(8, 60));
    const numbers = listFaults(7, 60).flatMap(({ before, apply, during }) => [...before, apply, ...during]);
    expect(numbers.flatMap(({ number }) => number ?? []).sort((a, b) => a - b)).toEqual(
      Array.from({ length: 60 }, (_, index) => index + 1),
    );
  });

  test.runIf(requires("random faults with full disks and real guests", "mounts", "qemu-system-x86_64"))(
    `${COUNT} of them (seed ${SEED}) break no promise`,
    { timeout: PATIENCE_MS },
    async () => {
      const { code, text } = await run("--seed", SEED, "--count", String(COUNT));
      expect(text).toMatch(/^\d+ faults over 1 seeds .*: no violation$/m);
      expect(code, text).toBe(0);
    },
  );
});

function run(...args: string[]): Promise<{ readonly code: number | null; readonly text: string }> {
  const child = spawn(process.execPath, [RUN, ...args], { stdio: ["ignore", "pipe", "pipe"] });
  let text = "";
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding("utf8").on("data", (part: string) => {
      text += part;
    });
  return new Promise((resolve) => child.once("close", (code) => resolve({ code, text })));
}
