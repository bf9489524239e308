/**
 * What is wrong with a VmConfig, all of it at once: `vm.create` checks nothing, `vm.boot` stops at the first, and some mistakes
 * end the process.
 *
 *   to-vm-config.ts → [check-vm-config.ts] → vm.create, or diagnostics of the manifests
 *
 * Pure. It cannot look at files: whether they exist shows at the boot.
 */
import { checkDevices } from "./check-devices.ts";
import { checkFields } from "./check-fields.ts";
import { checkMachine } from "./check-machine.ts";
import type { ConfigPath, ConfigProblem } from "./problem.ts";
import { majorVersion } from "./version.ts";
import type { VmConfig } from "./vm-config.ts";

export type { ConfigProblem } from "./problem.ts";

/** What its HTTP server takes, in bytes: its library's default, until v54 raised it. */
const BODY_LIMIT_UNTIL_53 = 51_200;
const BODY_LIMIT = 4 * 1024 * 1024;

export const bodyLimit = (version: string | null): number => {
  const major = version === null ? null : majorVersion(version);
  return major === null || major >= 54 ? BODY_LIMIT : BODY_LIMIT_UNTIL_53;
};

/** `version` as `vmm.ping` says it; null: not known, so only what no version takes is a problem. */
export function checkVmConfig(config: VmConfig, target: { readonly version: string | null }): readonly ConfigProblem[] {
  const problems: ConfigProblem[] = [];
  const report = (path: ConfigPath, message: string, hint: string) => void problems.push({ path, message, hint });
  const major = target.version === null ? null : majorVersion(target.version);
  if (checkFields(config, major, report)) {
    checkMachine(config, report);
    checkDevices(config, report);
  }
  const limit = bodyLimit(target.version);
  const text = JSON.stringify(config);
  // A character is three bytes at most.
  const bytes = text.length * 3 <= limit ? 0 : new TextEncoder().encode(text).length;
  if (bytes > limit)
    report(
      [],
      `the configuration has ${bytes} bytes, and this version takes ${limit}`,
      "shorten it, or use version 54",
    );
  return problems;
}
