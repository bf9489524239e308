/** Versions of Cloud Hypervisor, as `vmm.ping` and `--version` say them: `53.0.0`, `v53.0`. Pure. */

/** Null for what is no version, as builds between releases may say. */
export function majorVersion(version: string): number | null {
  const major = /^v?(\d{1,4})\b/.exec(version.trim())?.[1];
  return major === undefined ? null : Number(major);
}

/** Older ones lack what every boot relies on. */
export const OLDEST_MAJOR = 50;
/** The newest that odorobo was tried with. Its API gives two releases' notice of changes. */
export const NEWEST_TRIED_MAJOR = 54;

/**
 * One policy for agent and doctor: what is known to lack something is refused, what nobody has tried yet is used, with a warning.
 * `refused` also for what is no version at all.
 */
export function standingOf(version: string): "tried" | "untried" | "refused" {
  const major = majorVersion(version);
  if (major === null || major < OLDEST_MAJOR) return "refused";
  return major > NEWEST_TRIED_MAJOR ? "untried" : "tried";
}

/** Since which version. */
const SINCE = { image_type: 51, pci_device_id: 52, no_shutdown: 52 } as const;

/** A version that nobody can tell is taken for the newest. */
export function knows(feature: keyof typeof SINCE, version: string | null): boolean {
  const major = version === null ? null : majorVersion(version);
  return major === null || major >= SINCE[feature];
}

/**
 * Whether a guest that runs on the one goes over to the other as it is: to the same major version, or to the next, which is what its makers try
 * before each release. A version that nobody can tell takes and gives nothing.
 */
export function sendsTo(from: string, to: string): boolean {
  const [older, newer] = [majorVersion(from), majorVersion(to)];
  return older !== null && newer !== null && (newer === older || newer === older + 1);
}
