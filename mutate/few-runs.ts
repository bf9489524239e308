/** fast-check for runs with mutants: the same draws each time, and so few that hundreds of mutants can be tried. */
import fc from "../node_modules/fast-check/lib/fast-check.js";

const RUNS = 20;

const less = <Parameters extends { readonly numRuns?: number }>(parameters?: Parameters) => ({
  seed: 1,
  ...parameters,
  numRuns: Math.min(parameters?.numRuns ?? RUNS, RUNS),
});

const assert: typeof fc.assert = ((property: Parameters<typeof fc.assert>[0], parameters?: object) =>
  fc.assert(property, less(parameters))) as typeof fc.assert;

export default { ...fc, assert };
