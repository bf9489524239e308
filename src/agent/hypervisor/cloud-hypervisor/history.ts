/**
 * What a guest has been through, as far as `vm.info` cannot tell: it says `Created` of a guest that powered itself off and of
 * one that was never booted alike. Pure.
 */
import type { VmInfo } from "../../../model/cloud-hypervisor/api.ts";
import type { GuestEnd, GuestStatus, HypervisorEvent } from "../hypervisor.ts";
import type { MonitorEvent } from "./event-parser.ts";
import { staysAfterPowerOff } from "./version.ts";

export interface GuestHistory {
  /** Of the process, as its API said; null: nobody has asked it yet. */
  readonly version: string | null;
  /** It has run at least once in this process. */
  readonly ran: boolean;
  /** It was shut down since it ran last. */
  readonly wentOff: boolean;
  /** The process said that it ends. */
  readonly ending: boolean;
  /** A reboot was begun and has not come to its end. */
  readonly rebooting: boolean;
  /** It waits for a guest from another host, and answers nobody. */
  readonly receiving: boolean;
  /** As the last migration from here stands. */
  readonly sending: "no" | "under way" | "finished" | "failed";
  /** What we asked for by its API and has not happened yet: noted before asking. */
  readonly intent: Intent | null;
  /** That it powered itself off was told. */
  readonly toldOff: boolean;
}

export type Intent = "vm.shutdown" | "vm.delete" | "vm.reboot" | "vmm.shutdown";

export const isIntent = (endpoint: string): endpoint is Intent =>
  ["vm.shutdown", "vm.delete", "vm.reboot", "vmm.shutdown"].includes(endpoint);

export const NO_HISTORY: GuestHistory = {
  version: null,
  ran: false,
  wentOff: false,
  ending: false,
  rebooting: false,
  receiving: false,
  sending: "no",
  intent: null,
  toldOff: false,
};

/**
 * What was asked for, and told, is over when it runs again after it was off. Not before: events come late, so that of the boot
 * may come behind a shutdown that was asked for since.
 */
const running = (history: GuestHistory): GuestHistory => ({
  ...history,
  ...(history.wentOff ? { intent: null, toldOff: false } : {}),
  ran: true,
  wentOff: false,
  rebooting: false,
});

export function withEvent(history: GuestHistory, { source, event }: MonitorEvent): GuestHistory {
  switch (`${source}/${event}`) {
    case "vm/booted":
    case "vm/restored":
      return running(history);
    case "vm/rebooted":
      return running(history.intent === "vm.reboot" ? { ...history, intent: null } : history);
    case "vm/rebooting":
      return { ...history, rebooting: true };
    case "vm/shutdown":
      return { ...history, wentOff: true };
    case "vmm/shutdown":
      return { ...history, ending: true };
    case "vm/migration-receive-ready":
    case "vm/migration-receive-started":
      return { ...history, receiving: true };
    case "vm/migration-receive-finished":
      return { ...running(history), receiving: false };
    case "vm/migration-receive-failed":
      return { ...history, receiving: false };
    case "vm/migration-started":
      return { ...history, sending: "under way" };
    case "vm/migration-finished":
      return { ...history, sending: "finished" };
    case "vm/migration-failed":
      return { ...history, sending: "failed" };
    default:
      return history;
  }
}

/** Events after which the guest's status or configuration may be another. */
export const mayChangeStatus = ({ source, event }: MonitorEvent): boolean =>
  source === "guest" ||
  source === "vmm" ||
  (source === "vm" && !event.endsWith("ing") && event !== "migration-memory-iteration");

/** What a person wants to hear of; null: the rest. `before`: what was known when it happened. */
export function toHypervisorEvent(
  before: GuestHistory,
  { source, event, properties }: MonitorEvent,
): HypervisorEvent | null {
  switch (`${source}/${event}`) {
    case "vm/rebooted":
      return before.intent === "vm.reboot" ? null : { kind: "reboot", message: "the guest rebooted" };
    case "guest/panic":
      return { kind: "panic", message: panicMessage(properties.event) };
    default:
      return null;
  }
}

/** The words of the pvpanic device. */
function panicMessage(event: string | undefined): string {
  if (event === "crash_loaded") return "the guest's kernel panicked and has begun its crash dump";
  return event === undefined || event === "panic" ? "the guest's kernel panicked" : `the guest's kernel said ${event}`;
}

const BY_HAND = "shut down by hand, through Cloud Hypervisor's API";

/** `info` null: it has no configuration (`vm.info` answers 404). */
export function toGuestStatus(info: Pick<VmInfo, "state" | "device_tree"> | null, history: GuestHistory): GuestStatus {
  switch (info?.state) {
    case "Running":
      return { phase: "running" };
    case "Paused":
    case "BreakPoint":
      return { phase: "paused" };
    default:
      return off(info, history);
  }
}

/**
 * With `--no-shutdown` nothing but the guest itself and the API's own calls takes a VM down without the process ending. Who
 * uses the socket past the agent (ch-remote) looks like the guest.
 */
function off(info: Pick<VmInfo, "device_tree"> | null, history: GuestHistory): GuestStatus {
  if (info?.device_tree !== undefined) {
    const what = history.rebooting ? "its reboot" : "its boot";
    return { phase: "off", endedBy: "failure", reason: `${what} broke off half-way` };
  }
  if (!history.ran) return { phase: "off", endedBy: "failure", reason: "it was never booted" };
  if (history.intent !== null && history.intent !== "vm.reboot")
    return { phase: "off", endedBy: "guest", reason: BY_HAND };
  if (info === null) return { phase: "off", endedBy: "guest", reason: BY_HAND };
  if (history.rebooting) return { phase: "off", endedBy: "failure", reason: "its reboot failed" };
  return { phase: "off", endedBy: "guest", reason: "the guest powered itself off" };
}

/**
 * How a guest ended whose process is gone, if its events tell; null: they do not, so its process was ended from outside.
 *
 * Before v52 a guest that powers off takes its process with it, with the same events and the same exit status as SIGTERM:
 * which of both it was nobody can tell, and the guest is believed.
 */
export function lastWord(history: GuestHistory): GuestEnd | null {
  if (history.sending === "finished")
    return { phase: "off", endedBy: "guest", reason: "it has moved to another host", hasMoved: true };
  if (history.intent === "vmm.shutdown") return { phase: "off", endedBy: "guest", reason: BY_HAND };
  if (!history.wentOff) return null;
  const byItself: GuestEnd = { phase: "off", endedBy: "guest", reason: "the guest powered itself off" };
  // From v52 on a process that says that it ends was told to, or broke; one that was killed later has said nothing more.
  if (history.version === null || staysAfterPowerOff(history.version)) return history.ending ? null : byItself;
  return byItself;
}
