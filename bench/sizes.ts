/** The two fleets that are measured, and their small stand-ins. */
import type { FleetSize } from "./fleet-texts.ts";

export interface Sizes {
  readonly small: FleetSize;
  readonly large: FleetSize;
  readonly label: (size: FleetSize) => string;
}

export const sizesFor = (quick: boolean): Sizes => ({
  small: quick ? { vms: 12, nodes: 4 } : { vms: 1_000, nodes: 50 },
  large: quick ? { vms: 60, nodes: 10 } : { vms: 10_000, nodes: 500 },
  label: ({ vms }) => (vms >= 1_000 ? `${vms / 1_000}k` : String(vms)),
});
