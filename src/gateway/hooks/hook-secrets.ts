/** The file of a webhook's secrets: one a line, each of which counts, so that two do while the forge is being given the new one. */
import { OdoroboError } from "../../model/errors.ts";
import { openSecretFile, type SecretFile } from "../../platform/http/door/secret-file.ts";

export type HookSecrets = SecretFile<readonly string[]>;

/** More than are ever changed at once; each costs a digest of the body. */
const MOST_SECRETS = 4;

/** Read again when it changes. Rejects with AGENT_INSECURE when it is missing, empty, not as it should be, or readable by everybody. */
export const openHookSecrets = (path: string): Promise<HookSecrets> =>
  openSecretFile(path, { what: "the file of the webhook's secret", flag: "hookSecretFile" }, (text) =>
    parseSecrets(text, path),
  );

function parseSecrets(text: string, path: string): readonly string[] {
  const lines = text
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line !== "");
  const problem =
    lines.length === 0
      ? "is empty"
      : lines.length > MOST_SECRETS
        ? `has more than ${MOST_SECRETS} lines`
        : lines.some((line) => !/^[!-~]+$/.test(line))
          ? "has a line that is more than one word"
          : null;
  if (problem === null) return lines;
  throw new OdoroboError("AGENT_INSECURE", `the file of the webhook's secret ${path} ${problem}`, {
    hint: `one secret a line, two while they are changed: openssl rand -hex 32 > ${path}`,
  });
}
