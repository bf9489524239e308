/** Sizes, rates and lengths of time, as people write them. */
import { describe, expect, test } from "vitest";
import {
  parseDurationMs,
  parseDurationSeconds,
  parseRateMiBps,
  parseSizeMiB,
  type Quantity,
} from "../../src/manifest/vm/quantities.ts";

const said = (quantity: Quantity): number | string =>
  quantity.ok ? quantity.value : `${quantity.message} (${quantity.hint})`;

describe("sizes, in MiB", () => {
  test.each([
    ["1MiB", 1],
    ["512M", 512],
    ["1.5GiB", 1536],
    ["2Gi", 2048],
    ["1T", 1_048_576],
    ["2048KiB", 2],
    ["0.1GiB", "0.1GiB is not a whole number of MiB (write 103MiB)"],
    ["0.5KiB", "0.5KiB is not a whole number of MiB (write 1MiB)"],
    // Within a byte of a whole one.
    ["0.29296875GiB", 300],
    ["0MiB", "a size of nothing (at least 1MiB)"],
    ["1048576TiB", 2 ** 40],
    ["1048577TiB", "1048577TiB is too large (at most 1048576TiB)"],
    ["20GB", '"20GB" is not a size (such as 512MiB or 4GiB)'],
    ["1.2.3GiB", '"1.2.3GiB" is not a size (such as 512MiB or 4GiB)'],
    ["-1GiB", '"-1GiB" is not a size (such as 512MiB or 4GiB)'],
    ["", '"" is not a size (such as 512MiB or 4GiB)'],
  ])("%s", (text, expected) => {
    expect(said(parseSizeMiB(text))).toBe(expected);
  });
});

describe("rates, in MiB that get through a second", () => {
  test.each([
    ["400MiB/s", 400],
    ["1GiB/s", 1024],
    ["1Gbit/s", 115.04],
    ["100Mbit/s", 11.5],
    ["1MiB/s", 1],
    ["8Mbit/s", "8Mbit/s is too slow for anybody to move (at least 1MiB/s)"],
    ["1000Gbit/s", 115_036.96],
    ["1100Gbit/s", "1100Gbit/s is faster than any link (at most 1000Gbit/s)"],
    ["1Gbit", '"1Gbit" is not a rate (such as 10Gbit/s or 400MiB/s)'],
  ])("%s", (text, expected) => {
    expect(said(parseRateMiBps(text))).toBe(expected);
  });
});

describe("lengths of time, in milliseconds", () => {
  test.each([
    ["300ms", 300],
    ["90s", 90_000],
    ["1m30s", 90_000],
    ["1.5h", 5_400_000],
    ["1w1d", 691_200_000],
    ["0.1ms", "0.1ms is not a whole number of milliseconds (write 1ms)"],
    ["36500d", 3_153_600_000_000],
    ["36501d", "36501d is too long (at most 36500d)"],
    ["5", '"5" is not a duration (such as 90s or 10m)'],
    ["5s later", '"5s later" is not a duration (such as 90s or 10m)'],
  ])("%s", (text, expected) => {
    expect(said(parseDurationMs(text))).toBe(expected);
  });

  test("and whole seconds, where no more is counted", () => {
    expect(said(parseDurationSeconds("1m"))).toBe(60);
    expect(said(parseDurationSeconds("1500ms"))).toBe("1500ms is not a whole number of seconds (write 2s)");
    expect(said(parseDurationSeconds("x"))).toBe('"x" is not a duration (such as 90s or 10m)');
  });
});
