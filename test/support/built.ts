/** What `build-command.ts` built before all tests. */
import { fileURLToPath } from "node:url";

/** `bin/run.js` as it is installed. */
export const BUILT_COMMAND = process.env.ODOROBO_TEST_COMMAND ?? "vitest's global setup builds it";

/** A program of the tests' own, built beside the command. */
export const builtProgram = (name: string): string =>
  fileURLToPath(new URL(`../dist/${name}.js`, `file://${BUILT_COMMAND}`));
