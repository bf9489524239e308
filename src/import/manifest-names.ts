/** Names of elsewhere → names of manifests, each once. Pure: the same names, in the same order, the same result. */
import { isDnsLabel } from "../model/names.ts";

const LONGEST = 63;

export class ManifestNames {
  readonly #taken: Set<string>;

  constructor(taken: Iterable<string> = []) {
    this.#taken = new Set(taken);
  }

  /** `Web Server (old)` → `web-server-old`; what two are called alike gets a number. */
  give(name: string): string {
    const plain = toLabel(name);
    for (let number = 1; ; number++) {
      const suffix = number === 1 ? "" : `-${number}`;
      const candidate = `${plain.slice(0, LONGEST - suffix.length).replace(/-+$/, "")}${suffix}`;
      if (this.#taken.has(candidate)) continue;
      this.#taken.add(candidate);
      return candidate;
    }
  }
}

function toLabel(name: string): string {
  if (isDnsLabel(name)) return name;
  const label = name
    .normalize("NFKD")
    .replaceAll(/\p{M}/gu, "")
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, "-")
    .replaceAll(/^-+|-+$/g, "")
    .slice(0, LONGEST)
    .replace(/-+$/, "");
  return label === "" ? "vm" : label;
}
