/** Who leads, and what is written in a term, over real members that run full, lose their data, compact, or ask for certificates. */
import { once } from "node:events";
import { describe, expect, test } from "vitest";
import type { Etcd } from "../../src/etcd/etcd.ts";
import { type Term, writeInTerm } from "../../src/etcd/term.ts";
import { watchKeys } from "../../src/etcd/watch.ts";
import { openCluster } from "../../src/gateway/cluster/cluster.ts";
import { type LeaderNews, Leadership } from "../../src/gateway/cluster/leadership.ts";
import { checkCluster } from "../../src/gateway/service/check/check-cluster.ts";
import { isOdoroboError } from "../../src/model/errors.ts";
import { systemClock } from "../../src/platform/clock.ts";
import { silentLogger } from "../../src/platform/logger.ts";
import { aRelay } from "../support/a-relay.ts";
import { makeCertificates } from "../support/certificates.ts";
import { anEtcd } from "../support/etcd.ts";
import { requires } from "../support/requirements.ts";
import { aTempFolder } from "../support/temp-folder.ts";
import { until } from "../support/until.ts";

/** On a busy machine nobody loses the lead for being slow. */
const LONG = { leaseSeconds: 30, callMs: 5_000 };

interface Standing extends AsyncDisposable {
  readonly term: Term | null;
  readonly news: readonly LeaderNews[];
}

function aStanding(etcd: Etcd, name: string): Standing {
  const stop = new AbortController();
  const news: LeaderNews[] = [];
  let term: Term | null = null;
  const told = (each: LeaderNews) => void news.push(each);
  const { leaseSeconds } = LONG;
  const leadership = new Leadership({ etcd, clock: systemClock, name, url: null, leaseSeconds, told });
  const reign = async (given: Term) => {
    term = given;
    const over = AbortSignal.any([given.lost, stop.signal]);
    if (!over.aborted) await once(over, "abort");
    term = null;
  };
  const running = Promise.all([
    leadership.run(stop.signal, reign),
    watchKeys(etcd, ["leader/"], () => leadership.hinted(), stop.signal),
  ]);
  return {
    get term() {
      return term;
    },
    news,
    async [Symbol.asyncDispose]() {
      stop.abort();
      await running;
    },
  };
}

async function leading(standing: Standing): Promise<Term> {
  await until("it leads", () => standing.term !== null, 60_000);
  return standing.term!;
}

describe.runIf(requires("gateways over a real etcd", "etcd", "etcdctl"))(
  "an etcd in trouble",
  { timeout: 240_000 },
  () => {
    test("without room what is written waits and the lead is kept; with room again it goes on, and who came meanwhile stands by", async () => {
      await using rig = await anEtcd({ flags: () => ["--quota-backend-bytes", String(6 << 20)] });
      const etcd = rig.connect(LONG);
      await using leader = aStanding(etcd, "a");
      const term = await leading(leader);
      const modified = await writeInTerm(etcd, term, { key: "x", modified: 0, value: Buffer.from("before") });
      await until("etcd is full", async () => {
        try {
          await etcd.write([], [{ put: `fill/${Math.random()}`, value: new Uint8Array(1 << 20) }]);
          return false;
        } catch (error) {
          return isOdoroboError(error, "ETCD_REFUSED");
        }
      });
      const troubles: string[] = [];
      const writing = writeInTerm(etcd, term, { key: "x", modified, value: Buffer.from("after") }, [], ({ hint }) =>
        troubles.push(hint ?? ""),
      );
      await until("it was tried again", () => troubles.length >= 2);
      expect(troubles[0]).toContain("disarm");
      const findings = await checkCluster(settingsFor(rig.endpoints));
      expect(findings.filter(({ level }) => level === "fail").map(({ message }) => message)).toEqual(
        rig.endpoints.map((endpoint) => `${endpoint} has the alarm NOSPACE`),
      );
      await using late = aStanding(rig.connect(LONG), "b");
      await until("who comes cannot enter", () => late.news.some(({ kind }) => kind === "trouble"));
      expect(await etcd.renew(term.lease)).toBeGreaterThan(0);
      expect((await etcd.get("x"))?.value.toString()).toBe("before");

      await rig.ctl(0, "del", "--prefix", "/test/fill/");
      await rig.ctl(0, "compact", String((await etcd.read({ key: "x" })).revision));
      for (const member of rig.members.keys()) await rig.ctl(member, "defrag");
      await rig.ctl(0, "alarm", "disarm");
      expect(await writing).toBeGreaterThan(modified);
      expect((await etcd.get("x"))?.value.toString()).toBe("after");
      expect([term.lost.aborted, leader.news.filter(({ kind }) => kind === "leads").length]).toEqual([false, 1]);
      await until("who came stands by", () =>
        late.news.some((each) => each.kind === "leader" && each.leader?.term === term.number),
      );
      expect(late.term).toBe(null);
    });

    test("of two that stand by exactly one takes over, and who led before writes nothing; a member that lost its data changes nothing", async () => {
      await using rig = await anEtcd();
      const [one, two, three] = [rig.connect(LONG), rig.connect(LONG), rig.connect(LONG)];
      await using a = aStanding(one, "a");
      const first = await leading(a);
      await using b = aStanding(two, "b");
      await until("b stands by", () => b.news.length > 0);
      await using c = aStanding(three, "c");
      await until("c stands by", () => c.news.length > 0);
      const record = { key: "x", modified: 0, value: Buffer.from("a") };
      const modified = await writeInTerm(one, first, record);
      await rig.ctl(0, "del", `/test/${first.key}`);
      const second = await leading(b);
      expect(second.number).toBeGreaterThan(first.number);
      await expect(writeInTerm(one, first, { key: "x", modified, value: Buffer.from("late") })).rejects.toMatchObject({
        code: "NOT_LEADER",
      });
      await until("all others follow it", () =>
        [a, c].every(({ news }) => news.some((each) => each.kind === "leader" && each.leader?.term === second.number)),
      );
      expect([a.term, c.term]).toEqual([null, null]);
      expect(c.news.filter(({ kind }) => kind === "leads")).toEqual([]);
      expect((await one.get("x"))?.value.toString()).toBe("a");

      const lost = rig.members.findIndex(({ endpoint }) => endpoint === two.member.endpoint);
      await rig.replace(lost);
      const after = await writeInTerm(two, second, { key: "x", modified, value: Buffer.from("b") });
      const alone = rig.connect({ ...LONG, endpoints: [rig.endpoints[lost]!] });
      expect(await alone.get("x")).toMatchObject({ modified: after, value: Buffer.from("b") });
      expect([second.lost.aborted, b.term?.number]).toEqual([false, second.number]);
    });

    test("a watch that fell behind a compaction is begun anew, and says so", async () => {
      await using rig = await anEtcd({ count: 1 });
      await using relay = await aRelay(rig.endpoints[0]!);
      const slow = rig.connect({ ...LONG, endpoints: [relay.address] });
      const etcd = rig.connect({ callMs: 20_000 });
      const stop = new AbortController();
      const hints: (readonly string[] | null)[] = [];
      const watching = watchKeys(slow, ["w/"], (keys) => hints.push(keys), stop.signal);
      await until("it is watched", () => hints.includes(null));
      relay.hold();
      // More than etcd keeps for one watcher (1,024 answers) and the way takes.
      const name = "n".repeat(1_000);
      for (let round = 0; round < 30; round++)
        await Promise.all(
          Array.from({ length: 100 }, (_, each) => etcd.write([], [{ put: `w/${name}${each}`, value: "" }])),
        );
      const { revision } = await etcd.read({ key: "x" });
      await rig.ctl(0, "compact", String(revision));
      const before = hints.length;
      relay.release();
      await until("it is begun anew", () => hints.slice(before).includes(null));
      await etcd.write([], [{ put: "w/last", value: "" }]);
      await until("what is written then is told", () => hints.some((each) => each?.includes("w/last")));
      expect(hints.flatMap((each) => each ?? []).length).toBeLessThan(3_000);
      stop.abort();
      await watching;
    });

    test("with certificates and a role, as the documentation says, a gateway leads; without them it is told why not", async () => {
      await using folder = await aTempFolder();
      const certificates = await makeCertificates(folder.path);
      await using rig = await anEtcd({ certificates });
      const user = "client";
      for (const words of [
        "role add odorobo",
        "role grant-permission odorobo readwrite /odorobo/ --prefix",
        `user add ${user} --no-password`,
        `user grant-role ${user} odorobo`,
        "user add root --no-password",
        "user grant-role root root",
        "auth enable",
      ])
        await rig.ctl(0, ...words.split(" "));
      const { caFile, client } = certificates;
      const tls = { caFile, ...client };
      const settings = { ...settingsFor(rig.endpoints), tls };
      expect((await checkCluster(settings)).map(({ level }) => level)).toEqual(["ok", "ok", "ok"]);
      const elsewhere = await checkCluster({ ...settings, prefix: "/elsewhere/" });
      expect(elsewhere.at(-1)).toMatchObject({ level: "fail", message: expect.stringContaining("permission denied") });
      const nameless = await checkCluster({ ...settings, tls: { caFile, certFile: null, keyFile: null } });
      expect(nameless.filter(({ level }) => level === "fail")).toHaveLength(3);

      const news: LeaderNews[] = [];
      const parts = { clock: systemClock, log: silentLogger, url: null, carryOn: async () => {} };
      await using cluster = await openCluster(settings, { ...parts, told: (each) => news.push(each) });
      cluster.begin();
      await until("it leads", () => cluster.leads && cluster.reign.term !== null, 60_000);
      const { etcd, reign } = cluster;
      await writeInTerm(etcd, reign.term!, { key: "x", modified: 0, value: Buffer.from("1") });
      await expect(
        openCluster({ ...settings, tls: { ...tls, keyFile: "/nowhere" } }, { ...parts, told() {} }),
      ).rejects.toMatchObject({ code: "AGENT_CONFIG" });
    });
  },
);

const settingsFor = (endpoints: readonly string[]) => ({
  ...{ name: "a", epoch: 0, endpoints, tls: null, prefix: "/odorobo/" },
  leaseSeconds: LONG.leaseSeconds,
});
