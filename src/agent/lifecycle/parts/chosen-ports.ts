/** Forwards with the ports that the agent has chosen for them, as the record keeps them. Pure. */
import type { OpenForward } from "../../../model/observed-state.ts";
import type { Forward } from "../../../model/vm-spec.ts";

export const withChosenPorts = (
  forwards: readonly Forward[],
  nic: string,
  chosen: readonly OpenForward[] = [],
): readonly Forward[] =>
  forwards.map((forward) => {
    if (forward.hostPort !== null) return forward;
    const { guestPort, protocol, host } = forward;
    const open = chosen.find(
      (each) => each.nic === nic && each.guestPort === guestPort && each.protocol === protocol && each.host === host,
    );
    return open === undefined ? forward : { ...forward, hostPort: open.hostPort };
  });
