import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    testTimeout: 20_000,
    hookTimeout: 20_000,
    pool: "forks",
    // Vitest would leave one core for itself, which on two cores means one file after another; tests here mostly wait for processes.
    maxWorkers: 2,
  },
});
