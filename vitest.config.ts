import { defineConfig } from "vitest/config";
import { LongestFirst } from "./test/support/longest-first.ts";

/**
 * Tests of the core keep nothing and start nothing: they share processes, which saves a fifth of a second for each file. What measures
 * times itself is not given a heap that others have filled.
 */
const CORE = [
  "test/{model,reconcile,placement,schedule,plan,what-if,report}/**/*.test.ts",
  "test/manifest/!(linear-time).test.ts",
];

/** These end what they start, within their process too: they share one another's as well. Each has a cache folder of its own, by `setupFiles`. */
const SHARING = [
  "test/{wire,observe,source,run,run-store,apply,turn,doctor,compat}/**/*.test.ts",
  "test/gateway/!(loops).test.ts",
  "test/gateway/*/**/*.test.ts",
  "test/agent/{store,storage}/**/*.test.ts",
];

export default defineConfig({
  test: {
    globalSetup: "test/support/build-command.ts",
    // For what never ends: how long a test takes says more about what else the machine does than about the test.
    testTimeout: 120_000,
    hookTimeout: 120_000,
    pool: "forks",
    // One more than a small machine has cores: a third of the time tests wait for processes, timers and disks.
    maxWorkers: 3,
    sequence: { sequencer: LongestFirst },
    projects: [
      { extends: true, test: { name: "core", include: CORE, isolate: false } },
      {
        extends: true,
        test: { name: "sharing", include: SHARING, isolate: false, setupFiles: "test/support/own-cache.ts" },
      },
      { extends: true, test: { name: "rest", include: ["test/**/*.test.ts"], exclude: [...CORE, ...SHARING] } },
    ],
  },
});
