/** Landlock as the double keeps it: a list of paths, and whatever is below them, that may be opened from vm.create on. Not sockets. */
import type { VmConfig } from "./vm-config.ts";

/** `before`: of an earlier VM of this process; rules can only become fewer. */
export function allowedPaths(config: VmConfig, before: readonly string[] | null): readonly string[] {
  const payload = config.payload ?? {};
  const paths = [
    payload.kernel,
    payload.firmware,
    payload.initramfs,
    config.serial.file,
    config.console.file,
    config.rng.src,
    ...(config.disks ?? []).map((disk) => disk.path),
    ...(config.pmem ?? []).map((pmem) => pmem.file),
    ...(config.landlock_rules ?? []).map((rule) => rule.path),
  ].filter((path) => path !== undefined);
  const covers = (root: string, path: string): boolean => path === root || path.startsWith(`${root}/`);
  return before === null ? paths : paths.filter((path) => before.some((root) => covers(root, path)));
}
