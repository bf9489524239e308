/** What a measured gateway and the scenario say to each other. Instants are milliseconds of this machine's monotonic clock. */

export type GatewayTold =
  | { readonly kind: "ready"; readonly url: string }
  | { readonly kind: "revision"; readonly at: number; readonly revision: string; readonly standing: string }
  | { readonly kind: "planned"; readonly at: number; readonly commit: string | null; readonly steps: number }
  | { readonly kind: "step"; readonly at: number }
  | {
      readonly kind: "used";
      readonly rss: number;
      readonly heapUsed: number;
      /** Since it began. */
      readonly cpuMs: number;
      readonly peakMiB: number;
    };

/** How much it has used, after a collection of garbage. */
export type GatewayAsked = "use";

export const monotonicMs = (): number => Number(process.hrtime.bigint() / 1_000n) / 1_000;
