/** The client against three real members: what is promised of reads, writes, leases and hints while members fail. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Etcd } from "../../src/etcd/etcd.ts";
import { watchKeys } from "../../src/etcd/watch.ts";
import { type AnEtcd, anEtcd } from "../support/etcd.ts";
import { requires } from "../support/requirements.ts";
import { until } from "../support/until.ts";

describe.runIf(requires("gateways over a real etcd", "etcd", "etcdctl"))("etcd", { timeout: 120_000 }, () => {
  let rig: AnEtcd;
  let etcd: Etcd;
  beforeAll(async () => {
    rig = await anEtcd();
    etcd = rig.connect({ callMs: 2_000 });
  }, 60_000);
  afterAll(async () => await rig?.[Symbol.asyncDispose]());

  test("writes on a condition, all or nothing, and reads what was written", async () => {
    const first = await etcd.write(
      [{ key: "a/x", created: 0 }],
      [
        { put: "a/x", value: "1" },
        { put: "a/y", value: "ü" },
      ],
    );
    expect(first.isDone).toBe(true);
    const again = await etcd.write([{ key: "a/x", created: 0 }], [{ put: "a/x", value: "2" }]);
    expect(again.isDone).toBe(false);
    const { entries } = await etcd.read({ below: "a/" });
    expect(entries.map(({ key, value }) => `${key} ${value}`)).toEqual(["a/x 1", "a/y ü"]);
    const x = entries[0]!;
    expect([x.created, x.modified]).toEqual([first.revision, first.revision]);
    expect((await etcd.write([{ key: "a/x", modified: x.modified }], [{ removeBelow: "a/" }])).isDone).toBe(true);
    expect(await etcd.get("a/x")).toBe(null);
  });

  test("of what is there the oldest, whatever its name", async () => {
    for (const key of ["c/3", "c/1", "c/2"]) await etcd.write([], [{ put: key, value: "" }]);
    await etcd.write([], [{ put: "c/3", value: "again" }]);
    expect((await etcd.read({ below: "c/" }, { oldestFirst: true, limit: 1 })).entries[0]?.key).toBe("c/3");
  });

  test("a lease keeps its keys for as long as it is renewed, and says when it is gone", async () => {
    const lease = await etcd.grant(5);
    await etcd.write([], [{ put: "l/k", value: "", lease: lease.id }]);
    expect(await etcd.renew(lease.id)).toBe(lease.seconds);
    await etcd.revoke(lease.id);
    expect(await etcd.renew(lease.id)).toBe(0);
    expect(await etcd.get("l/k")).toBe(null);
    await expect(etcd.write([], [{ put: "l/k", value: "", lease: lease.id }])).rejects.toMatchObject({
      code: "ETCD_REFUSED",
    });
  });

  test("a megabyte is written; what etcd does not take is refused, and said", async () => {
    await etcd.write([], [{ put: "big", value: new Uint8Array(1_048_576) }]);
    expect((await etcd.get("big"))?.value.length).toBe(1_048_576);
    await expect(etcd.write([], [{ put: "big", value: new Uint8Array(2_000_000) }])).rejects.toMatchObject({
      code: "ETCD_REFUSED",
    });
  });

  test("hints come for what is written, and go on over members that die", async () => {
    const stop = new AbortController();
    const hints: (readonly string[] | null)[] = [];
    const watching = watchKeys(etcd, ["w/", "v/"], (keys) => hints.push(keys), stop.signal);
    await until("both are watched", () => hints.filter((each) => each === null).length >= 2);
    await etcd.write(
      [],
      [
        { put: "w/1", value: "" },
        { put: "u/1", value: "" },
        { put: "v/1", value: "" },
      ],
    );
    await until("what was written is told", () => {
      const keys = hints.flatMap((each) => each ?? []);
      return keys.includes("w/1") && keys.includes("v/1");
    });
    expect(hints.flatMap((each) => each ?? [])).not.toContain("u/1");
    const member = rig.members.find(({ endpoint }) => endpoint === etcd.member.endpoint)!;
    const before = hints.length;
    await member.kill();
    await until("it is watched elsewhere", () => hints.slice(before).includes(null));
    await until("it can be written", () =>
      etcd.write([], [{ put: "w/2", value: "" }]).then(
        () => true,
        () => false,
      ),
    );
    await until("that is told, too", () => hints.slice(before).some((each) => each?.includes("w/2")));
    stop.abort();
    await watching;
    await member.start();
    await rig.ready();
  });

  test("without a majority nothing is written, and with it again a lease is still there", async () => {
    // A leader that was paused counts that time, too, when it wakes: the lease is longer than the pause could be.
    const lease = await etcd.grant(60);
    const [one, two] = rig.members.filter(({ endpoint }) => endpoint !== etcd.member.endpoint);
    one!.pause();
    two!.pause();
    await expect(etcd.write([], [{ put: "m", value: "" }])).rejects.toMatchObject({ code: "ETCD_UNREACHABLE" });
    await expect(etcd.read({ key: "m" })).rejects.toMatchObject({ code: "ETCD_UNREACHABLE" });
    one!.resume();
    two!.resume();
    await rig.ready();
    await until("it is renewed", () =>
      etcd.renew(lease.id).then(
        (left) => left > 0,
        () => false,
      ),
    );
  });

  test("an etcd that tells less than it did is not gone by any more", async () => {
    await using other = await anEtcd({ count: 1 });
    const straying = rig.connect({ endpoints: [rig.endpoints[0]!, other.endpoints[0]!], callMs: 2_000 });
    await straying.read({ key: "x" });
    straying.failed(straying.member);
    await expect(straying.read({ key: "x" })).rejects.toMatchObject({ code: "ETCD_REFUSED" });
    await expect(straying.write([], [])).rejects.toMatchObject({ code: "ETCD_REFUSED" });
  });
});
