import fc from "fast-check";
import { expect, test } from "vitest";
import { FORGE_KINDS, type HookEvent } from "../../../src/gateway/hooks/hook-event.ts";
import { readHook } from "../../../src/gateway/hooks/read-hook.ts";
import { SeenHooks } from "../../../src/gateway/hooks/seen-hooks.ts";
import { systemClock } from "../../../src/platform/clock.ts";
import { COMMIT_B, pullPayload, pushHook, pushPayload, sendBytes, sendHook } from "../../support/a-hook.ts";

const SECRET = "correct-horse-battery";
const check = (kind: (typeof FORGE_KINDS)[number]) => ({
  kind,
  secrets: [SECRET],
  clock: systemClock,
  seen: new SeenHooks(),
});
const anyKind = fc.constantFrom(...FORGE_KINDS);
const EVENTS = [
  "push",
  "pull_request",
  "Push Hook",
  "repo:push",
  "repo:refs_changed",
  "pullrequest:updated",
  "pr:opened",
  "x",
];
const OUTCOMES = new Set([null, "signature", "time", "garbage", "replayed"]);

function expectFit(events: readonly HookEvent[]) {
  for (const event of events) {
    if (event.kind === "push") {
      expect(event.ref).toMatch(/^[^\s-][^\s]*$/u);
      if (event.commit !== null) expect(event.commit).toMatch(/^[0-9a-f]{40,64}$/);
    }
    if (event.kind === "pull-request") expect(event.number).toBeGreaterThan(0);
    if (event.kind === "other") expect(event.what).toMatch(/^[\w:?. -]{1,60}$/);
  }
}

test("whatever bytes come under whatever headers: an answer, never a throw, and nothing is taken", () => {
  const name = fc.constantFrom(
    ...["x-hub-signature-256", "x-hub-signature", "x-gitea-signature", "x-forgejo-signature", "x-gitlab-token"],
    ...[
      "webhook-id",
      "webhook-timestamp",
      "webhook-signature",
      "content-type",
      "x-odorobo-timestamp",
      "x-odorobo-signature",
    ],
  );
  const value = fc.oneof(
    fc.string(),
    fc.constantFrom(
      "",
      "sha256=",
      "v1,",
      `sha256=${"0".repeat(64)}`,
      "application/x-www-form-urlencoded",
      "1790000000",
    ),
    fc.array(fc.string(), { maxLength: 2 }),
  );
  fc.assert(
    fc.property(anyKind, fc.dictionary(name, value), fc.uint8Array({ maxLength: 300 }), (kind, headers, bytes) => {
      const reading = readHook({ headers, body: Buffer.from(bytes) }, check(kind));
      expect(reading.refused).toBe("signature");
    }),
    { numRuns: 500 },
  );
});

test("whatever JSON is rightly signed is read without a throw, and says only what is fit to be used", () => {
  fc.assert(
    fc.property(
      anyKind,
      fc.constantFrom(...EVENTS),
      fc.json({ maxDepth: 5 }),
      fc.boolean(),
      (kind, event, json, asForm) => {
        const hook = sendBytes(kind, event, Buffer.from(json), { secret: SECRET, asForm });
        const reading = readHook(hook, check(kind));
        expect(OUTCOMES.has(reading.refused)).toBe(true);
        expect(reading.refused).not.toBe("signature");
        if (reading.refused === null) expectFit(reading.events);
      },
    ),
    { numRuns: 500 },
  );
});

test("a real payload with something foreign at any place of it is read without a throw", () => {
  const foreign = fc.oneof(
    fc.jsonValue({ maxDepth: 2 }),
    fc.constantFrom("-x", "a\nb", "\u202e", "__proto__", 1e308, -1),
  );
  fc.assert(
    fc.property(anyKind, fc.boolean(), fc.nat(), foreign, (kind, isPull, place, value) => {
      const said = { number: 7, action: "opened", head: "more", commit: COMMIT_B, base: "main" };
      const payload = structuredClone(
        isPull ? pullPayload(kind, said) : pushPayload(kind, "refs/heads/main", COMMIT_B),
      );
      const places = placesOf(payload);
      places[place % places.length]?.(value);
      for (const event of EVENTS) {
        const reading = readHook(sendHook(kind, event, payload, { secret: SECRET }), check(kind));
        if (reading.refused === null) expectFit(reading.events);
        else expect(reading.refused).toBe("garbage");
      }
    }),
    { numRuns: 200 },
  );
});

test("a signed webhook with one bit changed anywhere in its body is refused", () => {
  const kinds = FORGE_KINDS.filter((kind) => kind !== "gitlab");
  fc.assert(
    fc.property(fc.constantFrom(...kinds), fc.nat(), fc.integer({ min: 0, max: 7 }), (kind, place, bit) => {
      const hook = pushHook(kind, "refs/heads/main", COMMIT_B, { secret: SECRET });
      const body = Buffer.from(hook.body);
      const index = place % body.length;
      body[index] = (body[index] as number) ^ (1 << bit);
      expect(readHook({ ...hook, body }, check(kind)).refused).toBe("signature");
    }),
    { numRuns: 200 },
  );
});

function placesOf(value: object): ((replacement: unknown) => void)[] {
  return Object.entries(value).flatMap(([key, inner]) => [
    (replacement: unknown) => {
      (value as Record<string, unknown>)[key] = replacement;
    },
    ...(typeof inner === "object" && inner !== null ? placesOf(inner) : []),
  ]);
}
