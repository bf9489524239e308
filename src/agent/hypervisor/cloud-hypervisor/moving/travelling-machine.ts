/** What a guest of Cloud Hypervisor takes along beside its specs, and the process that takes it in has to know. */
import { OdoroboError } from "../../../../model/errors.ts";
import { type Attached, NOTHING_ATTACHED } from "../attached.ts";

export interface TravellingMachine {
  /** Of the process that it comes from. */
  readonly version: string;
  /** What was attached since its boot. */
  readonly attached: Attached;
}

/** Throws BAD_REQUEST for what no agent of ours says. */
export function readTravellingMachine(machine: unknown): TravellingMachine {
  const { version, attached } = (machine ?? {}) as Partial<TravellingMachine>;
  if (typeof version === "string") return { version, attached: { ...NOTHING_ATTACHED, ...attached } };
  throw new OdoroboError("BAD_REQUEST", "the other agent does not say which Cloud Hypervisor its guest comes from", {
    hint: "update the agent there",
  });
}
