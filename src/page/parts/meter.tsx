/** How much of something is taken: a bar, and the numbers beside it. */
import type { ComponentChildren } from "preact";

interface MeterProps {
  readonly label: string;
  readonly used: number;
  readonly of: number;
  readonly show: (amount: number) => string;
  /** What it comes to in between, or afterwards, where that is more. */
  readonly most?: number | undefined;
  readonly children?: ComponentChildren;
}

/** From here on a node is close to full, and from there on it is. */
const [MUCH, FULL] = [0.85, 0.999];

export function Meter({ label, used, of, show, most }: MeterProps) {
  const share = of <= 0 ? 0 : used / of;
  const peak = of <= 0 || most === undefined ? share : Math.max(share, most / of);
  const level = peak > 1 ? "over" : peak >= FULL ? "full" : peak >= MUCH ? "much" : "some";
  const free = Math.max(0, of - used);
  const text = `${show(used)} of ${show(of)}`;
  return (
    <div class={`meter level-${level}`} title={`${label}: ${text} taken, ${show(free)} free`}>
      <span class="meter-label">{label}</span>
      <span
        class="meter-bar"
        role="meter"
        aria-label={label}
        aria-valuemin={0}
        aria-valuemax={of}
        aria-valuenow={Math.min(used, of)}
        aria-valuetext={`${text}, ${show(free)} free`}
      >
        {peak > share ? <span class="meter-peak" style={{ width: percent(peak) }} /> : null}
        <span class="meter-fill" style={{ width: percent(share) }} />
      </span>
      <span class="meter-text number">
        {text} <span class="hint">· {show(free)} free</span>
      </span>
    </div>
  );
}

/** `512 MiB`, `5.3 GiB`: as much as a bar needs. */
export const showSize = (mib: number): string =>
  mib < 1_024 ? `${Math.round(mib)} MiB` : `${Number((mib / 1_024).toFixed(mib < 102_400 ? 1 : 0))} GiB`;

export const showCpus = (cpus: number): string => String(Number(cpus.toFixed(1)));

const percent = (share: number): string => `${Math.min(100, Math.max(0, share * 100)).toFixed(1)}%`;
