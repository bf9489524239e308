/**
 * Sizes and lengths of time as users write them, in manifests and after flags. Each answers with a number, or with the hint that helps.
 * Texts are those of `schemas/common.schema.json`.
 */

export type Quantity =
  | { readonly ok: true; readonly value: number }
  | { readonly ok: false; readonly message: string; readonly hint: string };

/**
 * Powers of 1024 with and without the `i`: cloud-hypervisor, QEMU, qemu-img and LVM all read `20G` as 20 GiB, and people
 * copy these numbers from there. `20GB`, which some tools read as 20·10⁹, is refused by the schema instead of guessed.
 */
const MIB_PER_UNIT: Readonly<Record<string, number>> = { K: 1 / 1024, M: 1, G: 1024, T: 1024 * 1024 };

/** A size in MiB: what hypervisors align to and all of the model counts in. */
export function parseSizeMiB(text: string): Quantity {
  const [, amount, unit = ""] = /^([0-9]+(?:\.[0-9]+)?)([KMGT])(?:iB|i)?$/.exec(text) ?? [];
  const exact = Number(amount) * (MIB_PER_UNIT[unit] ?? Number.NaN);
  if (Number.isNaN(exact)) return { ok: false, message: `"${text}" is not a size`, hint: "such as 512MiB or 4GiB" };
  if (exact === 0) return { ok: false, message: "a size of nothing", hint: "at least 1MiB" };
  if (exact > MAX_MIB) return { ok: false, message: `${text} is too large`, hint: "at most 1048576TiB" };
  // Decimal fractions of a GiB are rarely exact in binary: what is within a byte of a whole MiB is meant to be that.
  const whole = Math.round(exact);
  if (whole >= 1 && Math.abs(exact - whole) < 1e-6) return { ok: true, value: whole };
  return { ok: false, message: `${text} is not a whole number of MiB`, hint: `write ${Math.ceil(exact)}MiB` };
}

/** Of a link of which the sender's own word is the speed: what TCP and IP take at 1,500 bytes a packet, as was measured of one stream at 10 Gbit/s. */
const GETS_THROUGH = 0.965;
const BYTES_PER_MBIT = 125_000;
const BYTES_PER_MIB = 1024 * 1024;

/** What gets through a second, in MiB. */
export function parseRateMiBps(text: string): Quantity {
  const [, amount, prefix, unit] = /^([0-9]+(?:\.[0-9]+)?)([MG])(bit|iB)\/s$/.exec(text) ?? [];
  if (amount === undefined)
    return { ok: false, message: `"${text}" is not a rate`, hint: "such as 10Gbit/s or 400MiB/s" };
  const isLink = unit === "bit";
  const mega = Number(amount) * (prefix === "M" ? 1 : isLink ? 1_000 : 1_024);
  const value = isLink ? (mega * BYTES_PER_MBIT * GETS_THROUGH) / BYTES_PER_MIB : mega;
  if (value < 1) return { ok: false, message: `${text} is too slow for anybody to move`, hint: "at least 1MiB/s" };
  return value > MAX_MIBPS
    ? { ok: false, message: `${text} is faster than any link`, hint: "at most 1000Gbit/s" }
    : { ok: true, value: Math.round(value * 100) / 100 };
}

const MAX_MIBPS = 120_000;

/** 1 EiB: beyond it, byte counts are no longer exact integers in JSON. */
const MAX_MIB = 2 ** 40;

const MS_PER_UNIT: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
  w: 604_800_000,
};

export function parseDurationMs(text: string): Quantity {
  if (!/^([0-9]+(\.[0-9]+)?(ms|[smhdw]))+$/.test(text))
    return { ok: false, message: `"${text}" is not a duration`, hint: "such as 90s or 10m" };
  let total = 0;
  for (const [, amount, unit] of text.matchAll(/([0-9.]+)(ms|[smhdw])/g))
    total += Number(amount) * (MS_PER_UNIT[unit ?? ""] ?? Number.NaN);
  // A century: longer ones overflow dates and are typos.
  if (total > MAX_MS) return { ok: false, message: `${text} is too long`, hint: "at most 36500d" };
  const whole = Math.round(total);
  if (Math.abs(total - whole) < 1e-6) return { ok: true, value: whole };
  return { ok: false, message: `${text} is not a whole number of milliseconds`, hint: `write ${Math.ceil(total)}ms` };
}

const MAX_MS = 36_500 * 86_400_000;

export function parseDurationSeconds(text: string): Quantity {
  const ms = parseDurationMs(text);
  if (!ms.ok || ms.value % 1000 === 0) return ms.ok ? { ok: true, value: ms.value / 1000 } : ms;
  const hint = `write ${Math.ceil(ms.value / 1000)}s`;
  return { ok: false, message: `${text} is not a whole number of seconds`, hint };
}
