/** Which fleet each entry turns, the same for all gateways of a cluster: as `fleets.json` is for one that is alone. */
import type { Etcd } from "../../etcd/etcd.ts";

const NAMES = "names/";

export interface KnownNames {
  read(): Promise<ReadonlyMap<string, string>>;
  put(entry: string, fleet: string): Promise<void>;
}

export const etcdNames = (etcd: Etcd): KnownNames => ({
  async read() {
    const { entries } = await etcd.read({ below: NAMES });
    return new Map(entries.map(({ key, value }) => [key.slice(NAMES.length), value.toString("utf8")]));
  },
  async put(entry, fleet) {
    await etcd.write([], [{ put: NAMES + entry, value: fleet }]);
  },
});
