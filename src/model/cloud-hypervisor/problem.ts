/** A mistake in a VmConfig, as a value. */

export type ConfigPath = readonly (string | number)[];

export interface ConfigProblem {
  /** Into the VmConfig: `["disks", 0, "num_queues"]`. Empty: the whole of it. */
  readonly path: ConfigPath;
  readonly message: string;
  readonly hint: string;
}

export type ReportProblem = (path: ConfigPath, message: string, hint: string) => void;

/** `disks[0].num_queues`. */
export const pathText = (path: ConfigPath): string =>
  path.map((part, index) => (typeof part === "number" ? `[${part}]` : index === 0 ? part : `.${part}`)).join("");
