/** A guest goes from one agent's Cloud Hypervisor to another's: the drivers' halves of it, over a way that breaks where it is told to. */
import { existsSync, readFileSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Duplex, duplexPair } from "node:stream";
import { describe, expect, test } from "vitest";
import type { Admission, OutgoingGuest, Passage } from "../../../src/agent/hypervisor/hypervisor.ts";
import type { ProcessHandle } from "../../../src/agent/supervisor/supervisor.ts";
import { toLiveConfig } from "../../../src/model/fields.ts";
import type { MigrationProgress } from "../../../src/model/observed-state.ts";
import type { VmSpec } from "../../../src/model/vm-spec.ts";
import {
  aCloudHypervisorWorld,
  type CloudHypervisorWorld,
  type TestGuest,
  type WorldSettings,
} from "../../support/cloud-hypervisor-world.ts";
import { patience } from "../../support/qemu-world.ts";
import { until } from "../../support/until.ts";

const VERSIONS = ["50.0", "51.0", "52.0", "53.0", "54.0"];

/** A guest that counts, and the way from it. */
interface Source extends AsyncDisposable {
  readonly world: CloudHypervisorWorld;
  readonly guest: TestGuest;
  readonly depart: OutgoingGuest;
  /** A process of this world, with a folder of its own, that waits for it. */
  waitIn(world: CloudHypervisorWorld): Promise<Arrival>;
  /** As the lifecycle has it stay. */
  stay(options?: { readonly paused: boolean }): Promise<void>;
}

interface Arrival extends AsyncDisposable {
  readonly process: ProcessHandle;
  readonly told: MigrationProgress[];
  admission: Admission;
  send(over?: Partial<Passage>, signal?: AbortSignal): ReturnType<OutgoingGuest["send"]>;
  /** As an agent that was killed and is there again. */
  admitAgain(): Promise<Admission>;
  take(options?: { readonly paused: boolean }): Promise<TestGuest>;
  end(): Promise<void>;
  cut(): void;
}

let arrivals = 0;

async function aSource(settings: WorldSettings = {}, over: Partial<VmSpec> = {}): Promise<Source> {
  await using opened = new AsyncDisposableStack();
  const world = opened.use(await aCloudHypervisorWorld({ double: true, ...settings }));
  const guest = await world.boot("web-1", over);
  await guest.says(/COUNTER 1/);
  const depart = guest.running.abilities.depart as OutgoingGuest;
  const life = opened.move();
  return {
    world,
    guest,
    depart,
    async waitIn(there) {
      const machine = await depart.describe(patience());
      const input = {
        ...(await there.input(`arrival-${++arrivals}`, over)),
        name: "web-1",
        machine,
        incoming: true as const,
      };
      const process = await there.start(input);
      const admit = (again: boolean) =>
        (there.hypervisor.admit as NonNullable<typeof there.hypervisor.admit>)(input, { again, signal: patience() });
      const open = new Set<Duplex>();
      const told: MigrationProgress[] = [];
      const arrival: Arrival = {
        process,
        told,
        admission: await admit(false),
        send: (passage, signal = patience()) =>
          depart.send(
            {
              disks: [],
              downtimeMs: 300,
              timeoutMs: 60_000,
              bandwidthMiBps: null,
              async open(channel) {
                const [from, to] = duplexPair();
                for (const end of [from, to]) {
                  open.add(end);
                  end.on("error", () => {});
                  end.once("close", () => (end === from ? to : from).destroy());
                }
                arrival.admission.connect(channel, to);
                return from;
              },
              disksDone: async () => {},
              freeze: () => world.supervisor.freeze(guest.process),
              progress: (now) => told.push(now),
              ...passage,
            },
            signal,
          ),
        async admitAgain() {
          await arrival.admission[Symbol.asyncDispose]();
          arrival.admission = await admit(true);
          return arrival.admission;
        },
        take: async (options = { paused: false }) =>
          there.adopt(input, process, await arrival.admission.take(options, patience())),
        end: () => there.supervisor.stop(process, 0),
        cut() {
          for (const end of open) end.destroy();
        },
        [Symbol.asyncDispose]: () => arrival.admission[Symbol.asyncDispose](),
      };
      return arrival;
    },
    async stay(options = { paused: false }) {
      await world.supervisor.thaw(guest.process);
      await depart.stay(options, patience());
    },
    [Symbol.asyncDispose]: () => life.disposeAsync(),
  };
}

const numbers = (text: string): number[] => [...text.matchAll(/COUNTER (\d+)\s/g)].map(([, digits]) => Number(digits));
const isStopped = (pid: number): boolean => /^\d+ \(.*\) T/.test(readFileSync(`/proc/${pid}/stat`, "latin1"));
const runsOn = async ({ guest }: Source): Promise<void> => {
  const said = numbers(guest.said()).length;
  await until("it counts on", () => numbers(guest.said()).length > said + 1);
  expect((await guest.running.status(patience())).phase).toBe("running");
};
/** No number is missing, none was said twice. */
const expectWhole = (...said: readonly string[]): void => {
  const all = numbers(said.join(""));
  expect(all).toEqual(all.map((_, index) => index));
};

const SLOW = { migration: { iterations: 500, iterationMs: 10 } } as const;
const FAILED = { code: "HYPERVISOR_FAILED" } as const;

describe.each(VERSIONS)("v%s", (version) => {
  test("a guest sets out many times, and runs on where it was each time; then it is taken, and counts on there", async () => {
    await using source = await aSource({ version });
    const { guest } = source;
    for (const failAt of ["config", "state"] as const) {
      await using refusing = await aCloudHypervisorWorld({ version, knobs: { migration: { failAt } } });
      await using arrival = await source.waitIn(refusing);
      const message = failAt === "config" ? /refused its configuration/ : /refused its state/;
      await expect(arrival.send()).rejects.toMatchObject({ ...FAILED, message: expect.stringMatching(message) });
      await expect(arrival.admission.whole(patience())).rejects.toMatchObject(FAILED);
      await source.stay();
    }
    await using there = await aCloudHypervisorWorld({ version });
    {
      await using arrival = await source.waitIn(there);
      const { bytes, downtimeMs } = await arrival.send();
      await arrival.admission.whole(patience());
      expect(bytes).toBeGreaterThan(256 * 1024);
      expect(downtimeMs).toBeGreaterThanOrEqual(0);
      expect(arrival.told.at(-1)).toMatchObject({ stage: "handing-over" });
      expect(isStopped(guest.process.pid)).toBe(true);
      // Whoever refuses it now says so before it runs here.
      await arrival.end();
      await expect(arrival.admission.take({ paused: false }, patience())).rejects.toMatchObject(FAILED);
      await source.stay();
      await runsOn(source);
    }
    await using arrival = await source.waitIn(there);
    await arrival.send();
    // The agent there is killed: the next one finds it whole.
    const again = await arrival.admitAgain();
    await again.whole(patience());
    const came = await arrival.take();
    await came.says(/COUNTER/);
    expect((await came.running.status(patience())).phase).toBe("running");
    expect(await came.running.liveConfig(patience())).toEqual(toLiveConfig(came.input.spec));
    // Nothing of it is asked to end: it is frozen.
    await guest.running.quit(patience());
    await source.world.supervisor.stop(guest.process, 60_000);
    expectWhole(guest.said(), came.said());
    expect(existsSync(join(guest.input.paths.runFolder, "out.sock"))).toBe(false);
  });

  test("it is called off on its way, and the agent there is killed before all of it came: it runs on where it was", async () => {
    await using source = await aSource({ version, knobs: SLOW });
    await using there = await aCloudHypervisorWorld({ version });
    {
      await using arrival = await source.waitIn(there);
      const caller = new AbortController();
      const sending = arrival.send({}, caller.signal);
      sending.catch(() => {});
      await until("it sends", () => arrival.told.length > 2);
      caller.abort(new Error("called off"));
      await expect(sending).rejects.toThrow("called off");
      await source.stay();
      await expect(arrival.admission.whole(patience())).rejects.toMatchObject(FAILED);
    }
    await using arrival = await source.waitIn(there);
    const sending = arrival.send();
    sending.catch(() => {});
    await until("it sends", () => arrival.told.length > 2);
    const again = await arrival.admitAgain();
    await expect(sending).rejects.toMatchObject(FAILED);
    await expect(again.whole(patience())).rejects.toMatchObject(FAILED);
    await expect(again.take({ paused: false }, patience())).rejects.toMatchObject(FAILED);
    await source.stay();
    await runsOn(source);
    expectWhole(source.guest.said());
  });
});

test.each([
  ["50.0", "51.0"],
  ["51.0", "52.0"],
  ["52.0", "53.0"],
  ["53.0", "54.0"],
])("from v%s to v%s it goes, and not back", async (from, to) => {
  await using source = await aSource({ version: from });
  await using there = await aCloudHypervisorWorld({ version: to });
  await using arrival = await source.waitIn(there);
  await arrival.send();
  const came = await arrival.take();
  await came.says(/COUNTER/);
  expect(await came.running.liveConfig(patience())).toEqual(toLiveConfig(came.input.spec));
  const back = await source.world.input("back", {});
  await source.world.start(back);
  const machine = await (came.running.abilities.depart as OutgoingGuest).describe(patience());
  await expect(
    source.world.hypervisor.admit?.({ ...back, machine }, { again: false, signal: patience() }),
  ).rejects.toMatchObject({ code: "UNSUPPORTED" });
});

test("a paused guest arrives paused, where the version sends such", async () => {
  await using source = await aSource();
  await source.guest.running.pause(patience());
  await using there = await aCloudHypervisorWorld({ double: true });
  await using arrival = await source.waitIn(there);
  await arrival.send();
  const came = await arrival.take({ paused: true });
  expect((await came.running.status(patience())).phase).toBe("paused");
  await came.running.resume(patience());
  await came.says(/COUNTER/);
  await using older = await aSource({ version: "51.0" });
  await older.guest.running.pause(patience());
  await expect(older.depart.describe(patience())).rejects.toMatchObject({ code: "UNSUPPORTED" });
});

test("what was attached since its boot goes along, and nothing of the old host's folders", async () => {
  await using source = await aSource({}, { passthrough: { balloon: { size: 0 } } });
  const grown = { balloon: { size: 1024 * 1024 } };
  await source.guest.running.update({ ...source.guest.input.spec, passthrough: grown }, patience());
  await using there = await aCloudHypervisorWorld({ double: true });
  await using arrival = await source.waitIn(there);
  await arrival.send();
  const came = await arrival.take();
  expect(await came.running.liveConfig(patience())).toEqual(toLiveConfig({ ...came.input.spec, passthrough: grown }));
  const info = await came.running.abilities.raw?.({ method: "GET", path: "vm.info", body: null }, patience());
  expect(Buffer.from(info?.body ?? []).toString("utf8")).not.toContain(source.world.folder);
});

test("a device that it has not let go of, or a disk of its node since its boot, keeps it where it is", async () => {
  const spec = { disks: [] };
  await using source = await aSource({ knobs: { guest: { ejectMs: null } }, removalMs: 50 }, spec);
  const { running, input } = source.guest;
  expect(running.movable?.()).toEqual({ live: true });
  const data = { name: "data", origin: { kind: "blank", sizeMiB: 1 }, readonly: false } as const;
  const path = join(input.paths.diskFolder, "data.raw");
  writeFileSync(path, "");
  truncateSync(path, 1024 * 1024);
  await running.update({ ...input.spec, disks: [data] }, patience());
  await expect(source.depart.describe(patience())).rejects.toMatchObject({
    code: "UNSUPPORTED",
    message: expect.stringContaining("its disk data is kept on this node"),
  });
  expect(running.movable?.()).toMatchObject({ live: false });
  await running.update(input.spec, patience());
  await expect(source.depart.describe(patience())).rejects.toMatchObject({ code: "UNSUPPORTED" });
});

test("it is sent no faster than asked", async () => {
  await using source = await aSource({ knobs: { migration: { memoryKiB: 1024, iterations: 1 } } });
  await using there = await aCloudHypervisorWorld({ double: true });
  await using arrival = await source.waitIn(there);
  const { bytes } = await arrival.send({ bandwidthMiBps: 16 });
  expect(bytes).toBeGreaterThan(1024 * 1024);
  expect(arrival.told.at(-1)?.bytesPerSecond).toBeLessThan(20 * 1024 * 1024);
});

test("one that does not come to an end is called off, with both rates", async () => {
  await using source = await aSource({ knobs: { migration: { iterations: 5_000, iterationMs: 5, dirtyKiB: 256 } } });
  await using there = await aCloudHypervisorWorld({ double: true });
  await using arrival = await source.waitIn(there);
  await expect(arrival.send({ timeoutMs: 500, bandwidthMiBps: 8 })).rejects.toMatchObject({
    ...FAILED,
    message: expect.stringMatching(/get through/),
    hint: expect.stringContaining("migration.downtime"),
  });
  await source.stay();
  await runsOn(source);
});

test("its process is killed on its way: it is lost; when all was sent: it is taken", async () => {
  await using there = await aCloudHypervisorWorld({ double: true });
  {
    await using source = await aSource({ knobs: SLOW });
    await using arrival = await source.waitIn(there);
    const sending = arrival.send();
    sending.catch(() => {});
    await until("it sends", () => arrival.told.length > 2);
    process.kill(source.guest.process.pid, "SIGKILL");
    await expect(sending).rejects.toMatchObject(FAILED);
    await expect(arrival.admission.whole(patience())).rejects.toMatchObject(FAILED);
  }
  await using source = await aSource();
  await using arrival = await source.waitIn(there);
  await arrival.send({
    async freeze() {
      process.kill(source.guest.process.pid, "SIGKILL");
      await source.world.supervisor.freeze(source.guest.process);
    },
  });
  await arrival.admission.whole(patience());
  // Nor does a way that ends now change anything.
  arrival.cut();
  await (await arrival.take()).says(/COUNTER/);
});

test("who brings a disk, or comes a second time, is refused", async () => {
  await using source = await aSource();
  await using there = await aCloudHypervisorWorld({ double: true });
  await using arrival = await source.waitIn(there);
  const [one] = duplexPair();
  const refused = expect.objectContaining({ code: "BAD_REQUEST" });
  expect(() => arrival.admission.connect("disk.data", one)).toThrow(refused);
  await arrival.send();
  expect(() => arrival.admission.connect("memory", one)).toThrow(refused);
});
