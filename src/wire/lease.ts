/** Which loop turns a fleet by itself, as agents are asked and answer. */
import type { Instant } from "../model/names.ts";

export interface LeaseRequest {
  /** The same whenever that loop is started again. */
  readonly holder: string;
  /** For people. */
  readonly by: string;
  /** 0: it lets go. */
  readonly seconds: number;
}

/** Who has it. Null: nobody. */
export interface Lease {
  readonly fleet: string;
  readonly holder: string | null;
  readonly by: string | null;
  readonly since: Instant | null;
}
