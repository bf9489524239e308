/** The public key of the person at the keyboard, as OpenSSH keeps it. */
import { readFile } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";
import { OdoroboError } from "../../../model/errors.ts";

const NAMES = ["id_ed25519.pub", "id_ecdsa.pub", "id_rsa.pub"] as const;

export interface OwnKey {
  readonly path: string;
  readonly key: string;
}

/** `file`: the one that was named. Null: there is none. Rejects with USAGE for a file that holds no public key. */
export async function ownKey(file: string | undefined): Promise<OwnKey | null> {
  if (file !== undefined) {
    const key = await publicKeyIn(file);
    if (key !== null) return { path: file, key };
    throw new OdoroboError("USAGE", `${file} holds no public SSH key`, {
      hint: "the public one ends in .pub; ssh-keygen -t ed25519 makes a pair",
    });
  }
  for (const name of NAMES) {
    const path = join(homedir(), ".ssh", name);
    const key = await publicKeyIn(path);
    if (key !== null) return { path, key };
  }
  return null;
}

/** A private key is never repeated anywhere, whatever the file is called. */
async function publicKeyIn(path: string): Promise<string | null> {
  const text = await readFile(path, "utf8").catch(() => "");
  return (
    /^((?:ssh|ecdsa|sk)-\S+ [A-Za-z0-9+/]+=*(?: [\w@.+-]{1,100})?)\s*$/m.exec(text.split("\n")[0] ?? "")?.[1] ?? null
  );
}
