/** Which events say that a document is another by now. */
import type { GatewayEvent } from "../../report/gateway/gateway-event.ts";
import type { Concerns } from "./resource.ts";

/** Not each step: what a run comes to is told by its end, and how it goes by its journal. */
const TURNS: ReadonlySet<GatewayEvent["event"]> = new Set(["revision", "asked", "drift", "run-ended", "held", "void"]);

export const ofFleet =
  (fleet: string): Concerns =>
  (event) =>
    event.fleet === fleet && (event.event !== "fleet" || event.nodes !== null || event.since === null);

export const ofNodes =
  (fleet: string): Concerns =>
  (event) =>
    event.fleet === fleet && event.event === "fleet" && (event.nodes !== null || event.since === null);

/** Of one VM: where it was told which are another, this one has to be among them. */
export const ofVm =
  (fleet: string, vm: string): Concerns =>
  (event) => {
    if (event.fleet !== fleet) return false;
    if (event.event !== "fleet") return TURNS.has(event.event);
    return event.vms === null || event.vms.some(({ name }) => name === vm) || event.gone.some((name) => name === vm);
  };

export const ofPlan =
  (fleet: string): Concerns =>
  (event) =>
    event.fleet === fleet && TURNS.has(event.event);

export const ofRuns: Concerns = ({ event }) => TURNS.has(event) || event === "run";

export const ofRun =
  (run: string): Concerns =>
  (event) =>
    "run" in event && event.run === run && event.event !== "step" && event.event !== "step-begun";

export const never: Concerns = () => false;
