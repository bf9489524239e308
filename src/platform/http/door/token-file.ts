/** The file with the agent's bearer token: whoever shows it is an admin. */
import { OdoroboError } from "../../../model/errors.ts";
import { openSecretFile, type SecretFile } from "./secret-file.ts";

export type TokenFile = SecretFile<string>;

/** Rejects with AGENT_INSECURE when the file is missing, empty, not one word, or readable by everybody. */
export const openTokenFile = (path: string): Promise<TokenFile> =>
  openSecretFile(path, { what: "the token file", flag: "--token-file" }, (text) => parseToken(text, path));

function parseToken(text: string, path: string): string {
  const token = text.trim();
  if (/^[!-~]+$/.test(token)) return token;
  throw new OdoroboError(
    "AGENT_INSECURE",
    `the token file ${path} ${token === "" ? "is empty" : "holds more than one word"}`,
    { hint: `openssl rand -hex 32 > ${path}` },
  );
}
