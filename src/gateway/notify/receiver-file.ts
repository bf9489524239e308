/**
 * Where notifications go: a file, because whoever knows the address of a chat's webhook may write there.
 *
 *   https://hooks.example.net/…        the first line
 *   9f86d081884c7d659a2feaa0c55ad015   the second, for `json`: the key that signs; left out: nothing is signed
 */
import { OdoroboError } from "../../model/errors.ts";
import { openSecretFile, type SecretFile } from "../../platform/http/door/secret-file.ts";

export interface Receiver {
  readonly url: URL;
  readonly key: string | null;
}

/**
 * Read again when it changes; a file that cannot be used now may be mended while the gateway runs, so it is opened when it is read.
 * Reading rejects with AGENT_INSECURE when it is missing, not as it should be, or readable by everybody.
 */
export function receiverFile(path: string): SecretFile<Receiver> {
  const naming = { what: "the file of the notification's address", flag: "urlFile" };
  let opened: SecretFile<Receiver> | null = null;
  return {
    async read() {
      opened ??= await openSecretFile(path, naming, (text) => parse(text, path));
      return await opened.read();
    },
  };
}

/** Nothing of the text is in the message. */
function parse(text: string, path: string): Receiver {
  const [first = "", key = null, ...rest] = text
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line !== "");
  const url = URL.parse(first);
  const problem =
    url === null || (url.protocol !== "https:" && url.protocol !== "http:")
      ? "does not begin with an address of https:// or http://"
      : rest.length > 0
        ? "has more than two lines"
        : key !== null && !/^[!-~]{16,}$/.test(key)
          ? "has a second line that is no key of at least 16 letters and digits"
          : null;
  if (problem === null && url !== null) return { url, key };
  throw new OdoroboError("AGENT_INSECURE", `the file of the notification's address ${path} ${problem}`, {
    hint: "the address in its first line; for kind json a key in the second, if it is to be signed: openssl rand -hex 32",
  });
}
