/** The file with the agent's bearer token. Read again when it changes, so that a token is rotated without a restart. */
import { readFile, stat } from "node:fs/promises";
import { OdoroboError } from "../../model/errors.ts";

export interface TokenFile {
  /** The token as the file says now. Rejects with AGENT_INSECURE while the file cannot be trusted: then nobody comes in. */
  read(): Promise<string>;
}

/** Rejects with AGENT_INSECURE when the file is missing, empty, not one word, or readable by everybody. */
export async function openTokenFile(path: string): Promise<TokenFile> {
  let seen = "";
  let token = "";
  const read = async () => {
    const version = await versionOf(path);
    if (version !== seen) {
      token = await readToken(path);
      seen = version;
    }
    return token;
  };
  await read();
  return { read };
}

async function versionOf(path: string): Promise<string> {
  const { mode, mtimeMs, size, ino } = await stat(path).catch((cause) => {
    throw cannotRead(path, cause);
  });
  if ((mode & 0o007) !== 0) {
    throw new OdoroboError("AGENT_INSECURE", `everybody on this machine may read the token file ${path}`, {
      hint: `chmod 600 ${path}`,
    });
  }
  return `${ino} ${mtimeMs} ${size}`;
}

async function readToken(path: string): Promise<string> {
  const text = await readFile(path, "utf8").catch((cause) => {
    throw cannotRead(path, cause);
  });
  const token = text.trim();
  if (!/^[!-~]+$/.test(token)) {
    throw new OdoroboError(
      "AGENT_INSECURE",
      `the token file ${path} ${token === "" ? "is empty" : "holds more than one word"}`,
      {
        hint: `openssl rand -hex 32 > ${path}`,
      },
    );
  }
  return token;
}

const cannotRead = (path: string, cause: unknown) =>
  new OdoroboError("AGENT_INSECURE", `cannot read the token file ${path}`, {
    cause,
    hint: "--token-file names it; the agent's user must be able to read it, and nobody else",
  });
