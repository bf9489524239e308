/** How a measured process says what it did. */

export interface Told {
  /** What was done, so that a fast run that did nothing is seen. */
  readonly did: string;
  /** Left out: the process counts from its start to its end. */
  readonly milliseconds?: number;
  /** Further figures, by name. */
  readonly values?: Readonly<Record<string, number>>;
  /** Of the whole process, agents in it included. */
  readonly peakMiB: number;
  readonly cpuMs: number;
}

export function tell(did: string, measured: Pick<Told, "milliseconds" | "values"> = {}): void {
  // maxRSS is in KiB on Linux, CPU times are in microseconds.
  const { maxRSS, userCPUTime, systemCPUTime } = process.resourceUsage();
  const used = { peakMiB: Math.round(maxRSS / 1024), cpuMs: Math.round((userCPUTime + systemCPUTime) / 1_000) };
  process.send?.({ did, ...measured, ...used } satisfies Told);
  process.disconnect?.();
}
