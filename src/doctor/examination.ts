/** What a check is given, and how it says what it found. */
import type { Finding } from "../model/doctor-report.ts";
import type { Host } from "./host.ts";

/** How the agent of this server is, or would be, started. Paths are absolute. */
export interface Settings {
  readonly dataFolder: string;
  readonly runFolder: string;
  readonly hooksFolder: string;
  /** Files that hold secrets, by the flag that names them. */
  readonly secretFiles: Readonly<Record<string, string>>;
  readonly hypervisors: readonly { readonly kind: string; readonly executable: string | null }[];
  /** Cloud Hypervisor is to confine itself. */
  readonly landlock?: boolean;
  readonly supervisor: "auto" | "systemd" | "spawn";
  /** D-Bus address. */
  readonly bus: string;
  /** Where the agent listens on this host; null: only on sockets. */
  readonly port: number | null;
  /** What the agent knows; null: none was asked, so nobody can say what is left over. */
  readonly known: KnownGuests | null;
}

export interface KnownGuests {
  readonly vms: readonly string[];
  readonly pids: readonly number[];
  readonly taps: readonly string[];
  /** Whose disks stand on other bytes than they were made over, in words. */
  readonly images: readonly { readonly vm: string; readonly message: string; readonly hint: string }[];
  /** An operation is under way: a process may be of a guest that is just being started. */
  readonly isBusy: boolean;
  /** As the QEMU driver found out by trying; null: it did not try. */
  readonly accelerator: "kvm" | "tcg" | null;
}

export interface Examination {
  readonly host: Host;
  readonly settings: Settings;
  readonly signal: AbortSignal;
}

export type Check = (examination: Examination) => Promise<readonly Finding[]>;

export const ok = (check: string, message: string): Finding => ({ check, level: "ok", message, hint: null });
export const warn = (check: string, message: string, hint: string): Finding => ({
  check,
  level: "warn",
  message,
  hint,
});
export const fail = (check: string, message: string, hint: string): Finding => ({
  check,
  level: "fail",
  message,
  hint,
});
export const unknown = (check: string, message: string, hint: string | null = null): Finding => ({
  check,
  level: "unknown",
  message,
  hint,
});

export const wants = ({ hypervisors }: Settings, kind: string): boolean =>
  hypervisors.some((each) => each.kind === kind);
