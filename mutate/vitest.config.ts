import { join } from "node:path";
import { defineConfig } from "vitest/config";

/**
 * The tests that the pure rooms are judged by: those without processes. Left out is what takes long by its nature.
 */
export default defineConfig({
  resolve: { alias: [{ find: /^fast-check$/, replacement: join(import.meta.dirname, "few-runs.ts") }] },
  test: {
    include: [
      "test/{model,manifest,reconcile,placement,schedule,plan,run,report,apply,turn}/**/*.test.ts",
      "test/examples.test.ts",
      // Rooms outside of the core whose behaviour is mostly the core's.
      "test/what-if/explain-vm.test.ts",
      "test/agent/{cloud-hypervisor,qemu}/compile.test.ts",
      "test/wire/read-report.test.ts",
    ],
    exclude: [
      "test/manifest/huge-yaml.test.ts",
      "test/manifest/linear-time.test.ts",
      "test/apply/apply-speed.test.ts",
      "test/turn/caches.property.test.ts",
      "test/apply/plan-apply-plan.property.test.ts",
      // What fails with few draws and no mutant (stryker.ts).
      ...(process.env.ODOROBO_MUTATE_WITHOUT ?? "").split(":").filter((file) => file !== ""),
    ],
    env: { ODOROBO_FEW_DRAWS: "1" },
    // What a module holds is the same for every mutant: which one is on is asked when it is run.
    isolate: false,
    testTimeout: 120_000,
    hookTimeout: 120_000,
  },
});
