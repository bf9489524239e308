/** The repository of a fleet's entry as a source of revisions. Its copy is kept with the gateway's own data. */
import type { Clock } from "../../platform/clock.ts";
import { Repository } from "../../source/repository.ts";
import type { SourceTrouble } from "../loop/parts.ts";
import { GitSource } from "../sources/git-source.ts";
import type { FleetConfig } from "./gateway-config.ts";

export function openGitSource(
  { repository: place, intervalMs, allowRewind, requireSigned }: FleetConfig,
  { dataFolder, clock }: { readonly dataFolder: string; readonly clock: Clock },
  onTrouble: (trouble: SourceTrouble | null) => void,
): GitSource {
  const { url, ref, path, ...credentials } = place;
  const options = { ref, path, intervalMs, jitter: Math.random, allowRewind, requireSigned, clock };
  return new GitSource(new Repository({ url, credentials }, dataFolder), options, onTrouble);
}
