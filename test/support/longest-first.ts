/**
 * Files that take long are begun first, so that no worker is left with one of them when the others have nothing to do. By name, as a
 * fresh clone knows no times; whoever makes a file slower or quicker by half a minute mends the list (`npm test` prints each file's time).
 */
import { BaseSequencer, type TestSpecification } from "vitest/node";

const LONGEST = [
  "test/system/kill-agent-systemd.test.ts",
  "test/system/move-faults.test.ts",
  "test/bench.test.ts",
  "test/system/kill-agent.test.ts",
  "test/system/kill-command.test.ts",
  "test/agent/lifecycle/kill.test.ts",
  "test/system/apply-moves.test.ts",
  "test/system/watch-story.test.ts",
  "test/agent/cloud-hypervisor/contract.test.ts",
  "test/agent/cloud-hypervisor/migration.test.ts",
  "test/system/fuzz.test.ts",
  "test/system/systemd-node.test.ts",
  "test/system/bad-plans.test.ts",
  "test/agent/qemu/console.test.ts",
  "test/system/qemu-guests.test.ts",
  "test/source/one-commit.test.ts",
  "test/system/faults.test.ts",
  "test/agent/lifecycle/crash.test.ts",
  "test/manifest/linear-time.test.ts",
  "test/system/full-disk.test.ts",
  "test/package.test.ts",
  "test/apply/apply.property.test.ts",
];

const rank = ({ moduleId }: TestSpecification): number => {
  const at = LONGEST.findIndex((file) => moduleId.endsWith(`/${file}`));
  return at === -1 ? LONGEST.length : at;
};

export class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const usual = await super.sort(files);
    return usual.toSorted((one, other) => rank(one) - rank(other));
  }
}
