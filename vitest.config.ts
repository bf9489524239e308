import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    // For what never ends: how long a test takes says more about what else the machine does than about the test.
    testTimeout: 120_000,
    hookTimeout: 120_000,
    pool: "forks",
    // Vitest would leave one core for itself, which on two cores means one file after another; tests here mostly wait for processes.
    maxWorkers: 2,
  },
});
