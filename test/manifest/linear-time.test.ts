/**
 * Twice as much to read takes twice as long, whatever it is: a manifest has up to 4 MiB, and what is quadratic takes minutes.
 *
 * Measured is time of the processor, which another process does not lengthen much; the least of several turns, because what
 * disturbs only adds; and it goes on until the least of both fit, for a few turns: what is quadratic never fits.
 */
import { expect, test, vi } from "vitest";
import { readManifests } from "../../src/manifest/read-manifests.ts";
import { renderDiagnostics } from "../../src/manifest/text/render-diagnostics.ts";
import { referredPaths } from "../../src/source/referred-paths.ts";
import { HOSTILE } from "../support/hostile-texts.ts";
import { aFleetDocument, textsOf } from "../support/manifest-texts.ts";

vi.setConfig({ testTimeout: 300_000 });

const SMALL = 24 * 1024;
/** 2 is linear, 4 is quadratic. */
const AT_MOST = 2.6;
/** Below this a garbage collection decides; and at four megabytes it is still less than a second. */
const NOISE_MS = 10;
const TURNS = 24;

function milliseconds(text: string): number {
  const texts = textsOf({ "_fleet.yaml": aFleetDocument(), "a.yaml": text });
  const before = process.cpuUsage();
  referredPaths(texts);
  const { diagnostics } = readManifests(texts);
  renderDiagnostics(diagnostics, texts);
  return process.cpuUsage(before).user / 1000;
}

test.each(Object.entries(HOSTILE))("%s", (_, make) => {
  const texts = [make(SMALL), make(2 * SMALL)] as const;
  const least = [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY];
  const fits = (): boolean => (least[1] ?? 0) <= AT_MOST * (least[0] ?? 0) + NOISE_MS;
  for (let turn = 0; turn < TURNS && (turn < 2 || !fits()); turn++)
    for (const [index, text] of texts.entries()) least[index] = Math.min(least[index] ?? 0, milliseconds(text));
  expect(fits(), `${least[0]} ms for ${SMALL} bytes, ${least[1]} ms for twice as many`).toBe(true);
});
