/** Versions of Cloud Hypervisor, as `vmm.ping` and `--version` say them: `53.0.0`, `v53.0`. Pure. */

/** Null for what is no version, as builds between releases may say. */
export function majorVersion(version: string): number | null {
  const major = /^v?(\d{1,4})\b/.exec(version.trim())?.[1];
  return major === undefined ? null : Number(major);
}

/** Since which version. */
const SINCE = { image_type: 51, pci_device_id: 52, no_shutdown: 52 } as const;

/** A version that nobody can tell is taken for the newest. */
export function knows(feature: keyof typeof SINCE, version: string | null): boolean {
  const major = version === null ? null : majorVersion(version);
  return major === null || major >= SINCE[feature];
}
