/** The consoles of a VM, made before the VM itself: at vm.create, and again at each boot after a shutdown. */
import { constants } from "node:fs";
import { Panic, Refusal } from "./refusal.ts";
import type { Release } from "./release.ts";
import { openOr, openSerialLine, type SerialLine } from "./serial-line.ts";
import type { ConsoleConfig, VmConfig } from "./vm-config.ts";

export interface Consoles {
  readonly serial: SerialLine;
  close(): void;
}

/**
 * Throws Panic where the real one dies: a mode that needs a path, without one. Nothing is taken back when a later console
 * fails: the earlier sockets stay bound, as there.
 */
export async function openConsoles(config: VmConfig, release: Release): Promise<Consoles> {
  openOutput(config.console);
  needPath(config.serial.mode === "Socket" ? config.serial.socket : config.serial.file, config.serial);
  const serial = await openSerialLine(config.serial, release);
  openOutput(config.debug_console);
  return { serial, close: () => serial.close() };
}

/** The virtio and the debug console: the double's guest says nothing there, so a file only has to exist. */
function openOutput(config: ConsoleConfig): void {
  if (config.mode === "Socket") throw new Refusal("other", "No socket option support for console device");
  needPath(config.file, config);
  if (config.mode === "File") openOr(config.file ?? "", constants.O_WRONLY | constants.O_CREAT | constants.O_TRUNC);
}

function needPath(path: string | undefined, { mode }: ConsoleConfig): void {
  const isNeeded = mode === "File" || mode === "Socket";
  if (isNeeded && path === undefined) throw new Panic("called `Option::unwrap()` on a `None` value");
}
