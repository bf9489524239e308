/** libvirt's sizes: a number and a unit, `KiB` where none is given. Source: formatdomain, "memory". */

const BYTES: Readonly<Record<string, number>> = {
  b: 1,
  bytes: 1,
  k: 1024,
  KB: 1000,
  KiB: 1024,
  M: 1024 ** 2,
  MB: 1000 ** 2,
  MiB: 1024 ** 2,
  G: 1024 ** 3,
  GB: 1000 ** 3,
  GiB: 1024 ** 3,
  T: 1024 ** 4,
  TB: 1000 ** 4,
  TiB: 1024 ** 4,
};

/** In bytes; null: it is none. libvirt itself takes units in any case. */
export function parseLibvirtSize(text: string, unit: string | undefined): number | null {
  if (!/^\d{1,15}$/.test(text)) return null;
  const known = Object.keys(BYTES).find((each) => each.toLowerCase() === (unit ?? "KiB").toLowerCase());
  const bytes = known === undefined ? null : Number(text) * (BYTES[known] as number);
  return bytes !== null && Number.isSafeInteger(bytes) ? bytes : null;
}

const MIB = 1024 ** 2;

/** Memory is whole MiB here: what is not is rounded up, so that the guest never has less. */
export const toMiB = (bytes: number): number => Math.ceil(bytes / MIB);

/** As a person writes it in a manifest. */
export const showSize = (mib: number): string => (mib % 1024 === 0 ? `${mib / 1024}GiB` : `${mib}MiB`);
