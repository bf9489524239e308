/** Snapshot folders: config.json, state.json and memory-ranges, each made anew, none overwritten. */
import { closeSync, ftruncateSync, openSync, readFileSync, statSync, writeSync } from "node:fs";
import { join } from "node:path";
import { ioText, Refusal } from "./refusal.ts";
import type { Release } from "./release.ts";
import { decode, encode } from "./shapes.ts";
import { totalMemory } from "./validate-config.ts";
import type { SavedVm } from "./vm.ts";
import { type VmConfig, vmConfigShape } from "./vm-config.ts";

const SEND = "Failed to send migratable component snapshot";
const RECEIVE = "Failed to receive migratable component snapshot";

/** Partial files stay when it fails. */
export function writeSnapshot(url: string, config: VmConfig, saved: SavedVm, release: Release): void {
  const folder = folderOf(url);
  const json = encode(vmConfigShape(release.major), config as unknown as Record<string, unknown>, release);
  createNew(join(folder, "config.json"), JSON.stringify(json), "Error creating VM config snapshot file");
  createNew(join(folder, "state.json"), JSON.stringify(saved), "Error creating VM state snapshot file");
  const memory = createNew(join(folder, "memory-ranges"), "", "Error creating memory ranges file", true);
  ftruncateSync(memory, totalMemory(config.memory));
  closeSync(memory);
}

export function readSnapshotConfig(url: string, release: Release): VmConfig {
  const json = readText(join(folderOf(url), "config.json"), "VM config");
  return decode(vmConfigShape(release.major), json, release) as unknown as VmConfig;
}

export function readSnapshotState(url: string): SavedVm {
  return JSON.parse(readText(join(folderOf(url), "state.json"), "VM state")) as SavedVm;
}

export function checkSnapshotMemory(url: string): void {
  try {
    statSync(join(folderOf(url), "memory-ranges"));
  } catch (error) {
    throw new Refusal("other", "Memory manager error", "Error opening snapshot file", ioText(error));
  }
}

function folderOf(url: string): string {
  const path = /^file:\/\/(.*)$/s.exec(url)?.[1];
  if (path === undefined) throw new Refusal("other", SEND, `Could not extract path from URL: ${url}`);
  if (!isFolder(path)) throw new Refusal("other", SEND, `Destination is not a directory: ${JSON.stringify(path)}`);
  return path;
}

/** What cannot be looked at is none, as for Rust's Path::is_dir. */
function isFolder(path: string): boolean {
  try {
    return statSync(path).isDirectory();
  } catch {
    return false;
  }
}

function createNew(path: string, text: string, failure: string, keepOpen = false): number {
  try {
    const fd = openSync(path, "wx");
    writeSync(fd, text);
    if (!keepOpen) closeSync(fd);
    return fd;
  } catch (error) {
    throw new Refusal("other", SEND, failure, ioText(error));
  }
}

function readText(path: string, what: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    throw new Refusal("other", RECEIVE, `Error opening ${what} snapshot file ${JSON.stringify(path)}`, ioText(error));
  }
}
