import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { format } from "node:util";
import fc from "fast-check";
import { expect, test } from "vitest";
import { Bulletin } from "../../src/gateway/notify/bulletin.ts";
import { FleetNotices } from "../../src/gateway/notify/fleet-notices.ts";
import type { Notice, Notification, Topic } from "../../src/gateway/notify/notice.ts";
import { type NotifierOptions, openNotifier } from "../../src/gateway/notify/notifier.ts";
import { signatureOf } from "../../src/gateway/notify/sender.ts";
import { quote, toSlack } from "../../src/gateway/notify/slack-text.ts";
import { instant } from "../../src/model/names.ts";
import { silentLogger } from "../../src/platform/logger.ts";
import { aClock } from "../support/a-clock.ts";
import { aReceiver, type TestReceiver } from "../support/a-receiver.ts";
import { aChange, ToldLoop } from "../support/a-told-loop.ts";
import { expectValid } from "../support/expect-valid.ts";
import { aTempFolder } from "../support/temp-folder.ts";
import { until } from "../support/until.ts";

const ALL: readonly Topic[] = ["failed", "waiting", "drift", "silent", "healed"];
const KEY = "k3y-k3y-k3y-k3y-k3y";

/** A loop whose notices are kept, each message one list. */
function aTold() {
  const clock = aClock();
  const messages: (readonly Notice[])[] = [];
  const bulletin = new Bulletin((notices) => messages.push(notices), clock, { gatherMs: 1_000_000 });
  const loop = new ToldLoop(clock, new FleetNotices(bulletin, clock));
  const said = (): string[] => {
    messages.length = 0;
    bulletin.flush();
    return messages.flat().map(({ topic, message }) => `${topic}: ${message}`);
  };
  return { clock, loop, said };
}

test("a broken revision is told once, with what to do, and that the next one is applied only where it had failed", () => {
  const { loop, said } = aTold();
  loop.push("r1").plan("r1");
  expect(said()).toEqual([]);
  loop.pushBroken("r2", "vms.yaml:3:5 unknown field").look().plan("r1").look().plan("r1");
  expect(said()).toEqual(["failed: revision r2 is refused: vms.yaml:3:5 unknown field"]);
});

test("a revision that failed and is put right by a later try is told as that; one that a person stopped is not", () => {
  const { clock, loop, said } = aTold();
  loop
    .push("r1")
    .plan("r1")
    .push("r2")
    .plan("r2", [aChange("web-1")])
    .end("failed", "n1 does not answer");
  expect(said()).toEqual(["failed: revision r2 is failed: n1 does not answer"]);
  clock.advance(60_000);
  loop
    .post({ event: "tick" })
    .plan("r2", [aChange("web-1")])
    .end("failed", "n1 does not answer");
  expect(said()).toEqual(["failed: guests could not be kept as r2 says: n1 does not answer"]);
  clock.advance(60_000);
  loop
    .post({ event: "tick" })
    .plan("r2", [aChange("web-1")])
    .end("done");
  expect(said()).toEqual(["healed: what was left of revision r2 is done", "healed: guests are kept as r2 says again"]);
  loop
    .plan("r2")
    .push("r3")
    .plan("r3", [aChange("web-2")])
    .end("stopped");
  loop.look().plan("r3", []);
  expect(said().filter((line) => line.startsWith("healed"))).toEqual([]);
  // Nor one that another has taken the place of.
  loop
    .push("r4")
    .plan("r4", [aChange("web-3")])
    .end("failed")
    .push("r5")
    .plan("r5", [aChange("web-3")])
    .end("done");
  expect(said().filter((line) => line.startsWith("healed"))).toEqual([]);
});

test("what was told before the gateway was started anew is not told again", () => {
  const { loop, said } = aTold();
  loop.push("r1").plan("r1").pushBroken("r2");
  said();
  const other = aTold();
  other.loop.state = loop.state;
  other.loop.post({ event: "taken-up" }).plan("r1");
  expect(other.said()).toEqual([]);
});

test("what was refused before a restart and is refused again for the same reason is not told again", () => {
  const { loop, said } = aTold();
  const refused = (id: string, message: string, again?: true) => {
    const because = { code: "MANIFEST_INVALID", message } as const;
    const revision = { ...loop.state.revisions[0]!, id, commit: "abc", standing: "refused", because } as const;
    return loop.tell({ kind: "revision", revision, ...(again && { again }) });
  };
  loop.push("r1").plan("r1");
  refused("abc", "1 mistake", true);
  refused("abc~2", "1 mistake");
  expect(said()).toEqual([]);
  refused("abc~3", "2 mistakes");
  expect(said()).toEqual(["failed: revision abc~3 is refused: 2 mistakes"]);
});

test("what waits for a person is told with the command that answers it, again only when it is another plan", () => {
  const { loop, said } = aTold();
  loop
    .push("r1")
    .plan("r1")
    .push("r2", { auto: "live", approve: ["destroy"] });
  loop.plan("r2", [aChange("db-1", "destroy")]);
  expect(said()).toEqual(["waiting: revision r2 waits for approval: db-1 (destroy)"]);
  loop
    .look()
    .plan("r2", [aChange("db-1", "destroy")])
    .look()
    .plan("r2", [aChange("db-1", "destroy")]);
  expect(said()).toEqual([]);
  loop.look().plan("r2", [aChange("db-1", "destroy"), aChange("db-2", "destroy")]);
  expect(said()).toEqual(["waiting: revision r2 waits for approval: db-1 (destroy), db-2 (destroy)"]);
});

test("drift is told, and its healing; a guest that is killed every minute is no news each time", () => {
  const { clock, loop, said } = aTold();
  const killed = () => loop.look().plan("r1", [aChange("web-1", "live", true)]);
  loop.push("r1").plan("r1");
  killed();
  expect(said()).toEqual(["drift: somebody else changed guests; that is reverted: web-1"]);
  loop.end("done").plan("r1");
  expect(said()).toEqual(["healed: as git says again: web-1"]);
  for (let minute = 0; minute < 10; minute++) {
    clock.advance(60_000);
    killed();
    loop.end("done").plan("r1");
  }
  expect(said()).toEqual([]);
  clock.advance(3_600_000);
  killed();
  expect(said()).toHaveLength(1);
});

test("a hundred nodes that fall silent are one message; a restart of an agent is none; who flaps is told once", () => {
  const { clock, loop, said } = aTold();
  const nodes = Array.from({ length: 100 }, (_, index) => `n${index}`);
  const silent = nodes.map((name) => `-${name}`);
  loop
    .see(...nodes)
    .see(...silent)
    .see(...nodes);
  expect(said()).toEqual([]);
  loop.see(...silent);
  clock.advance(40_000);
  loop.see(...silent);
  const first = said();
  expect(first).toHaveLength(100);
  expect(first[0]).toBe("silent: n0 does not answer: no answer within 5 s");
  loop.see(...nodes);
  expect(said()[0]).toBe("healed: n0 answers again");
  for (let round = 0; round < 5; round++) {
    loop.see(...silent);
    clock.advance(40_000);
    loop.see(...silent);
    loop.see(...nodes);
  }
  expect(said()).toEqual([]);
  // But one that stays away is told in the end.
  loop.see("-n0");
  for (let minute = 0; minute < 15; minute++) {
    clock.advance(60_000);
    loop.see("-n0");
  }
  expect(said()).toEqual(["silent: n0 does not answer: no answer within 5 s"]);
});

test("a property: whatever comes and goes, no end is told that had no beginning, and nothing twice in a row", () => {
  const step = fc.record({
    about: fc.constantFrom("a", "b"),
    print: fc.constantFrom("x", "y"),
    ends: fc.boolean(),
    pause: fc.constantFrom(0, 1, 1e6, 9e7),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const clock = aClock();
      const said: { about: string; print: string; ends: boolean; at: number }[] = [];
      const bulletin = new Bulletin(() => {}, clock, { gatherMs: 1e9 });
      for (const { about, print, ends, pause } of steps) {
        clock.advance(pause);
        const tell = () => {
          said.push({ about, print, ends, at: clock.monotonicMs() });
          return {} as Notice;
        };
        if (ends) bulletin.end(about, tell);
        else bulletin.say(about, print, tell);
      }
      bulletin[Symbol.dispose]();
      for (const about of ["a", "b"]) {
        const own = said.filter((each) => each.about === about);
        for (const [index, each] of own.entries()) {
          const before = own[index - 1];
          if (each.ends) expect(before?.ends).toBe(false);
          else if (before !== undefined && !before.ends && before.print === each.print)
            expect(each.at - before.at).toBeGreaterThanOrEqual(24 * 3_600_000);
        }
      }
    }),
  );
});

async function aNotifier(
  receiver: TestReceiver,
  more: Partial<NotifierOptions> & {
    readonly kind?: "json" | "slack";
    readonly file?: string;
    readonly on?: readonly Topic[];
  } = {},
) {
  const folder = await aTempFolder();
  const urlFile = join(folder.path, "url");
  await writeFile(urlFile, more.file ?? `${receiver.url}\n`, { mode: 0o600 });
  const clock = aClock();
  const counted: string[] = [];
  const logged: object[] = [];
  const note = (fields: object, message: string) => void logged.push({ ...fields, message });
  const log = { ...silentLogger, warn: note, error: note };
  const notifier = await openNotifier({
    ...{ fleet: "shop", targets: [{ kind: more.kind ?? "json", urlFile, on: more.on ?? ALL }], clock, log },
    publicUrl: "https://odorobo.example.net",
    counted: (kind, result) => counted.push(`${kind} ${result}`),
    ...more,
    pace: { gatherMs: 1, retryMs: [1, 1, 1], heldMs: 5, silentMs: 0, closeMs: 2_000, ...more.pace },
  });
  const loop = new ToldLoop(clock, notifier.watcher);
  return {
    ...{ clock, loop, counted, logged, urlFile },
    documents: () => receiver.received.map(({ body }) => JSON.parse(body) as Notification),
    async [Symbol.asyncDispose]() {
      await notifier[Symbol.asyncDispose]();
      await folder[Symbol.asyncDispose]();
    },
  };
}
const arrived = (receiver: TestReceiver, count: number) =>
  until(`${count} notifications`, () => receiver.received.length >= count);

test("a generic receiver gets a document with a schema, signed with its key, once", async () => {
  await using receiver = await aReceiver();
  await using told = await aNotifier(receiver, { file: `${receiver.url}\n${KEY}\n` });
  told.loop.push("r1").plan("r1").see("n1", "-n2").pushBroken("r2");
  await arrived(receiver, 1);
  const [{ headers, body }] = receiver.received as [{ headers: Record<string, string>; body: string }];
  const document = JSON.parse(body) as Notification;
  expectValid(document, "notification");
  expect(document.fleet).toBe("shop");
  expect(document.link).toBe("https://odorobo.example.net/v1/fleets/shop");
  expect(document.notices.map(({ topic, revision, node }) => [topic, revision, node])).toEqual([
    ["silent", null, "n2"],
    ["failed", "r2", null],
  ]);
  const at = Number(/^t=(\d+),/.exec(headers["odorobo-signature"] ?? "")?.[1]);
  expect(headers["odorobo-signature"]).toBe(signatureOf(body, KEY, at));
  expect(headers["odorobo-notification"]).toBe(document.id);
});

test("Slack gets one text in which nothing of others is a mention, a link or a line of its own", async () => {
  await using receiver = await aReceiver();
  await using told = await aNotifier(receiver, { kind: "slack" });
  told.loop.pushBroken("r2", "<!channel> @here <https://evil|click> & `x`\n:x: *forged*");
  await arrived(receiver, 1);
  const message = JSON.parse(receiver.received[0]!.body) as { text: string; link_names: boolean };
  expect(message.text).not.toMatch(/<|>|@(here|channel|all)/);
  expect(message.text).toContain("&lt;!channel&gt;");
  expect(message.text.split("\n")).toHaveLength(3);
  expect(message.link_names).toBe(false);
});

test("a property: whatever a message holds, Slack finds neither a mention nor markup in it", () => {
  const piece = fc.constantFrom(
    "<!here>",
    "<@U1>",
    "@all",
    "@channel",
    "<!subteam^S1>",
    "*",
    "`",
    "_",
    "~",
    "&lt;",
    "\n",
    "a b",
    "<",
    ">",
  );
  fc.assert(
    fc.property(fc.array(fc.oneof(piece, fc.string())), (pieces) => {
      const quoted = quote(pieces.join(""));
      expect(quoted).not.toMatch(/[<>\n\r]|@[^\u200b]|@$|&(?!amp;|lt;|gt;)/);
      expect(quoted).not.toMatch(/(^|[^\u200b])[*_~`]/);
    }),
  );
});

test("text of Slack is short, however much there is to say", () => {
  const notice: Notice = {
    ...{
      topic: "failed",
      at: instant("2026-01-01T00:00:00.000Z"),
      message: "x".repeat(100_000),
      code: null,
      hint: "h",
    },
    ...{ revision: null, commit: null, run: null, vms: [], node: null },
  };
  const more = { failed: 3, silent: 9 };
  const head = { kind: "Notification", version: 1, id: "1", at: notice.at, fleet: "shop", link: null } as const;
  const text = toSlack({ ...head, notices: Array.from({ length: 20 }, () => notice), more });
  expect(text.length).toBeLessThan(10_000);
  expect(text).toContain("and 12 more: 3 failed, 9 silent");
});

test("what passes is tried again, as the same notification; what does not is given up and said in the log, without the address", async () => {
  await using receiver = await aReceiver();
  await using told = await aNotifier(receiver);
  receiver.answers.push(503, { status: 429, headers: { "retry-after": "0" } });
  told.loop.pushBroken("r1");
  await until("it is taken", () => told.counted.includes("json sent"));
  expect(told.counted).toEqual(["json retried", "json retried", "json sent"]);
  expect(new Set(told.documents().map(({ id }) => id)).size).toBe(1);
  receiver.answers.push(403);
  told.loop.pushBroken("r2");
  await until("it is given up", () => told.counted.includes("json dropped"));
  receiver.answers.push({ status: 302, headers: { location: "http://127.0.0.1:1/" } });
  told.loop.pushBroken("r3");
  await until("it is given up, too", () => told.counted.filter((each) => each === "json dropped").length === 2);
  expect(JSON.stringify(told.logged)).not.toMatch(/s3cr3t|127\.0\.0\.1/);
  expect(told.logged).toMatchObject([{ receiver: "shop json 1", why: "it answered 403" }, { why: "it answered 302" }]);
});

test("nobody waits for a receiver that does not answer, and the gateway ends all the same", async () => {
  await using receiver = await aReceiver();
  const told = await aNotifier(receiver, { pace: { answerMs: 60_000, closeMs: 20 } });
  receiver.answers.push(null);
  for (let index = 0; index < 200; index++) told.loop.pushBroken(`r${index}`);
  await arrived(receiver, 1);
  await told[Symbol.asyncDispose]();
  expect(told.counted.filter((each) => each === "json dropped").length).toBeGreaterThan(0);
  expect(receiver.received).toHaveLength(1);
});

test("too many messages are held back and summed up when there is room again", async () => {
  await using receiver = await aReceiver();
  await using told = await aNotifier(receiver, { pace: { burst: 2, perHour: 3_600 } });
  for (let index = 1; index <= 5; index++) {
    told.loop.pushBroken(`r${index}`);
    await until("it was given on", () => told.counted.filter((each) => /sent|held/.test(each)).length >= index);
  }
  expect(told.counted.filter((each) => each === "json held")).toHaveLength(3);
  // The clock stands but for its looks: a second of it is what the next message costs.
  told.clock.advance(1_000);
  await arrived(receiver, 3);
  const last = told.documents().at(-1);
  expectValid(last, "notification");
  expect([last?.notices, last?.more]).toEqual([[], { failed: 3 }]);
});

test("a receiver is told only what it wants to hear", async () => {
  await using receiver = await aReceiver();
  await using told = await aNotifier(receiver, { on: ["silent"] });
  told.loop.pushBroken("r1").see("-n2");
  await arrived(receiver, 1);
  expect(told.documents().flatMap(({ notices }) => notices.map(({ topic }) => topic))).toEqual(["silent"]);
});

test("the address of a receiver may change while the gateway runs", async () => {
  await using receiver = await aReceiver();
  await using other = await aReceiver();
  await using told = await aNotifier(receiver);
  await writeFile(told.urlFile, `${other.url}\n`);
  told.loop.pushBroken("r1");
  await arrived(other, 1);
  expect(receiver.received).toEqual([]);
});

test.each([
  ["nothing", ""],
  ["no address", "hooks.example.net/s3cr3t"],
  ["a file", "file:///etc/s3cr3t"],
  ["a key that is too short", "https://hooks.example.net/s3cr3t\nsh0rt"],
])(
  "a file with %s is said in the log without its text, costs the others nothing, and is used once it is mended",
  async (_, file) => {
    await using receiver = await aReceiver();
    await using told = await aNotifier(receiver, { file });
    expect(told.logged).toMatchObject([{ receiver: "shop json 1", err: { code: "AGENT_INSECURE" } }]);
    told.loop.pushBroken("r1");
    await until("it is given up", () => told.counted.includes("json dropped"));
    expect(told.logged.map((each) => format(each)).join()).not.toMatch(/s3cr3t|sh0rt/);
    await writeFile(told.urlFile, receiver.url);
    told.loop.pushBroken("r2");
    await arrived(receiver, 1);
  },
);
