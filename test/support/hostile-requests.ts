/**
 * What a stranger may send to an agent: valid shapes with hostile values, invalid shapes, and broken transport.
 * Made from the agent's own table of routes, so that a new route is asked too. Generated from a seed: the same seed, the same requests.
 */
import fc from "fast-check";
import { ROUTES } from "../../src/agent/http/handler.ts";
import type { OPERATION_ROLES } from "../../src/agent/http/routes/operation-roles.ts";
import type { Disk } from "../../src/model/vm-spec.ts";
import { aPut, aWireSpec } from "./wire-builders.ts";

/** In every name that might become a file somewhere. */
export const CANARY = "fuzz_canary";

export type HostileRequest =
  | {
      readonly kind: "http";
      readonly method: string;
      readonly path: string;
      readonly headers: Readonly<Record<string, string>>;
      readonly body: string | null;
    }
  /** Bytes on a connection that is then closed, or reset. */
  | { readonly kind: "raw"; readonly pieces: readonly Buffer[]; readonly isReset: boolean }
  /** A proper handshake, and what a proper client would not say afterwards. */
  | { readonly kind: "websocket"; readonly path: string; readonly pieces: readonly Buffer[] };

/** Few names, so that requests meet VMs that are there, and what an agent holds is bounded. */
const NAMES = ["fuzz-0", "fuzz-1", "fuzz-2", "fuzz-3"];

const HOSTILE_TEXTS = [
  "",
  " ",
  ".",
  "..",
  `../${CANARY}`,
  `../../../../tmp/${CANARY}`,
  `/tmp/${CANARY}`,
  `a/../../${CANARY}`,
  `..\\${CANARY}`,
  `\0${CANARY}`,
  `${CANARY}\n${CANARY}`,
  `$(touch ${CANARY})`,
  `\`touch ${CANARY}\``,
  `; touch ${CANARY} #`,
  "%n%s%p%x",
  "%i%I%H",
  "%",
  "%00",
  "%2e%2e%2f",
  "a".repeat(63),
  "a".repeat(64),
  "a".repeat(300),
  "é".repeat(200),
  "\u202eabc",
  "\ud83d\ude00",
  "\ud800",
  "__proto__",
  "constructor",
  "toString",
  "hasOwnProperty",
  "null",
  "NaN",
  "-1",
  "1e400",
  "file:///etc/passwd",
  "tcp:127.0.0.1:1",
  "builtin:tiny",
  "rbd://a/b?c#d",
  "-rf",
  "@x",
  "<script>",
] as const;

const hostileText = fc.oneof(
  { weight: 6, arbitrary: fc.constantFrom(...HOSTILE_TEXTS) },
  { weight: 1, arbitrary: fc.string({ maxLength: 40, unit: "binary" }) },
);

const name = fc.oneof({ weight: 5, arbitrary: fc.constantFrom(...NAMES) }, { weight: 1, arbitrary: hostileText });

const hostileNumber = fc.constantFrom(
  0,
  -0,
  -1,
  1,
  0.5,
  1e-300,
  65_535,
  65_536,
  2 ** 31,
  2 ** 32,
  2 ** 53,
  -(2 ** 53),
  1e21,
  1e308,
);

/** So deep that what walks it by calling itself falls. */
const deep = fc.constantFrom(10, 500, 20_000).map((depth) => new RawJson(`${"[".repeat(depth)}${"]".repeat(depth)}`));
const deepObject = fc
  .constantFrom(10, 500, 20_000)
  .map((depth) => new RawJson(`${'{"a":'.repeat(depth)}1${"}".repeat(depth)}`));

const hostileValue: fc.Arbitrary<unknown> = fc.oneof(
  { weight: 5, arbitrary: hostileText },
  { weight: 4, arbitrary: hostileNumber },
  { weight: 2, arbitrary: fc.constantFrom(null, true, false, [], {}, [[]], [null], [{}]) },
  { weight: 1, arbitrary: fc.constantFrom(Array(3_000).fill("x"), Array(3_000).fill({}), "x".repeat(100_000)) },
  { weight: 1, arbitrary: fc.dictionary(hostileText, fc.jsonValue({ maxDepth: 2 }), { maxKeys: 4 }) },
  { weight: 1, arbitrary: deep },
  { weight: 1, arbitrary: deepObject },
);

/** JSON that no value stands for. */
class RawJson {
  readonly text: string;
  constructor(text: string) {
    this.text = text;
  }
}

interface Mutation {
  readonly pick: number;
  readonly act: "replace" | "remove" | "add" | "rename";
  readonly key: string;
  readonly value: unknown;
}

const mutation: fc.Arbitrary<Mutation> = fc.record({
  pick: fc.nat(10_000),
  act: fc.constantFrom("replace", "replace", "replace", "remove", "add", "rename"),
  key: hostileText,
  value: hostileValue,
});

type Holder = Record<string, unknown> | unknown[];

/** The same document with some places changed; as text, since not all of it is a value. */
function mutated(document: unknown, mutations: readonly Mutation[]): string {
  const root: { it: unknown } = { it: structuredClone(document) };
  for (const { pick, act, key, value: shared } of mutations) {
    const value = shared instanceof RawJson ? shared : structuredClone(shared);
    const places = placesIn(root);
    const place = places[pick % places.length];
    if (place === undefined) continue;
    const holder = place.holder as Record<string, unknown>;
    if (act === "replace") holder[place.key] = value;
    else if (act === "remove") delete holder[place.key];
    else if (act === "rename") define(holder, key, holder[place.key]);
    else if (typeof holder[place.key] === "object" && holder[place.key] !== null)
      define(holder[place.key] as Record<string, unknown>, key, value);
    else holder[place.key] = value;
  }
  return toText(root.it);
}

/** A key such as `__proto__` is to be one in the text. */
const define = (holder: Record<string, unknown>, key: string, value: unknown) =>
  Object.defineProperty(holder, key, { value, enumerable: true, configurable: true, writable: true });

function placesIn(holder: Holder): { holder: Holder; key: string }[] {
  return Object.entries(holder).flatMap(([key, value]) => [
    { holder, key },
    ...(typeof value === "object" && value !== null && !(value instanceof RawJson) ? placesIn(value as Holder) : []),
  ]);
}

function toText(value: unknown): string {
  if (value instanceof RawJson) return value.text;
  if (Array.isArray(value)) return `[${Array.from(value, (each) => toText(each ?? null)).join(",")}]`;
  if (typeof value === "object" && value !== null) {
    return `{${Object.entries(value)
      .map(([key, each]) => `${JSON.stringify(key)}:${toText(each ?? null)}`)
      .join(",")}}`;
  }
  return JSON.stringify(value) ?? "null";
}

const SMALL = aWireSpec({ disks: [], nics: [], shutdownGraceSeconds: 0 });
const OWN_DISK: Disk = { name: "data", origin: { kind: "blank", sizeMiB: 1 }, readonly: false };

const operationBody: Readonly<Record<keyof typeof OPERATION_ROLES, object>> = {
  boot: {},
  shutdown: { graceSeconds: 0 },
  reboot: { graceSeconds: 0 },
  pause: {},
  resume: {},
  delete: { graceSeconds: 0 },
  purge: {},
  "power-button": {},
  nmi: {},
  coredump: { file: `/tmp/${CANARY}` },
  snapshot: { folder: `/tmp/${CANARY}` },
  restore: { folder: `/tmp/${CANARY}` },
  resize: { cpus: 1, memoryMiB: 128, balloonMiB: null, disk: null },
  attach: { device: { list: "disks", disk: OWN_DISK } },
  detach: { device: { list: "disks", name: "data" } },
  "migrate-receive": { url: null },
  "migrate-send": { url: "tcp:127.0.0.1:1", local: false },
  "expect-guest": { from: "n2", ticket: "t".repeat(43), generation: 1, spec: SMALL },
  migrate: {
    to: { node: "n2", address: "http://127.0.0.1:1", ticket: "t".repeat(43), fingerprint: null },
    mode: "live",
  },
  "cancel-migration": {},
};

const VM_CONFIG = {
  cpus: { boot_vcpus: 1, max_vcpus: 2 },
  memory: { size: 134_217_728 },
  payload: { kernel: "/boot/k", cmdline: "console=ttyS0" },
  disks: [{ path: `/tmp/${CANARY}`, id: "a" }],
  net: [{ tap: "t0", mac: "52:54:00:00:00:02" }],
  serial: { mode: "Null" },
};

const id = fc.oneof({ weight: 8, arbitrary: fc.uuid() }, { weight: 1, arbitrary: hostileText });

type Kind = keyof typeof OPERATION_ROLES;
const KINDS = Object.keys(operationBody) as Kind[];
/** What moves VMs on: without them the others would find all of them off, or at their last generation. */
const LIVELY: readonly Kind[] = [
  "boot",
  "boot",
  "boot",
  "shutdown",
  "delete",
  "delete",
  "delete",
  "purge",
  "purge",
  "purge",
];

/** What each route takes, by the end of its path. */
const documents = fc.record({
  put: fc
    .record({ id, generation: fc.nat(500), isProtected: fc.nat(20).map((each) => each === 0), commit: hostileText })
    .map(({ id, generation, isProtected, commit }) =>
      aPut({ id, generation, commit, spec: { ...SMALL, protect: isProtected, disks: [OWN_DISK] } }),
    ),
  operations: fc
    .record({ id, kind: fc.constantFrom(...KINDS, ...LIVELY) })
    .map(({ id, kind }) => ({ id, kind, expect: null, ...operationBody[kind] })),
  config: fc.constant(VM_CONFIG),
  lease: fc.record({
    holder: fc.constantFrom("loop-1", "loop-2"),
    by: hostileText.map((text) => text.slice(0, 200)),
    seconds: fc.nat(60),
  }),
  whereabouts: fc.constant({ fleet: "fuzz-0", at: "2026-01-01T12:00:00.000Z", homes: { "web-1": "n1" } }),
  send: fc.constant({ destination: "tcp:127.0.0.1:1", local: true }),
  raw: fc.constant({ desired_vcpus: 2 }),
});

/** Most documents are what the route takes, so that what lies behind its checks is asked too. */
function documentFor(path: string, given: Documents, pick: number): unknown {
  const all = Object.values(given);
  if (pick % 8 === 0) return all[pick % all.length];
  if (path === "/v1/vms/{name}") return given.put;
  if (path.endsWith("/operations")) return given.operations;
  if (path.endsWith("/lease")) return given.lease;
  if (path.endsWith("/whereabouts")) return given.whereabouts;
  if (path.endsWith("/migrate/send")) return given.send;
  return path.includes("/ch/") ? given.raw : given.config;
}

type Documents = typeof documents extends fc.Arbitrary<infer Value> ? Value : never;

const someMutations = fc.oneof(
  { weight: 2, arbitrary: fc.constant([]) },
  { weight: 1, arbitrary: fc.array(mutation, { minLength: 1, maxLength: 3 }) },
);

/** Null: the document as it is. */
const otherBody: fc.Arbitrary<{ readonly text: string | null } | "half" | null> = fc.oneof(
  { weight: 12, arbitrary: fc.constant(null) },
  { weight: 1, arbitrary: hostileText.map((text) => ({ text })) },
  { weight: 1, arbitrary: fc.constant("half" as const) },
  { weight: 1, arbitrary: hostileValue.map((value) => ({ text: toText(value) })) },
  {
    weight: 1,
    arbitrary: fc
      .constantFrom(null, "[".repeat(500_000), "\ufeff{}", `{"id":"${"x".repeat(1_100_000)}"}`)
      .map((text) => ({ text })),
  },
);

const query = fc.oneof(
  { weight: 4, arbitrary: fc.constant("") },
  {
    weight: 2,
    arbitrary: fc
      .record({
        key: fc.constantFrom("waitSeconds", "tailLines", "follow", "boot", "readonly", "x"),
        value: fc.oneof(fc.constantFrom("1", "0", "true", "60", "999999999999"), hostileText),
      })
      .map(({ key, value }) => `?${key}=${escapeAll(value)}`),
  },
  { weight: 1, arbitrary: hostileText.map((text) => `?${escapeAll(text)}&&==&`) },
);

const headers = fc
  .record({
    type: fc.constantFrom(
      ...Array.from({ length: 20 }, () => "application/json"),
      "text/plain",
      "application/json; charset=latin1",
      "",
    ),
    extra: fc.constantFrom<Record<string, string>>(
      ...Array.from({ length: 40 }, () => ({})),
      { "last-event-id": "9".repeat(30) },
      { "last-event-id": "1" },
      { origin: "http://evil.example" },
      { host: "evil.example" },
      { authorization: `Bearer ${"x".repeat(5_000)}` },
      { expect: "100-continue" },
      { "content-encoding": "gzip" },
      { connection: "upgrade", upgrade: "h2c" },
      { "x-forwarded-for": "10.0.0.1" },
    ),
  })
  .map(({ type, extra }) => ({ ...(type === "" ? {} : { "content-type": type }), ...extra }));

const ODD_METHODS = ["DELETE", "PATCH", "OPTIONS", "HEAD", "TRACE", "PURGE", "POST", "PUT"];

const rest = fc.oneof(fc.constantFrom("vm.info", "api/v1/vm.resize", "vm.add-disk"), hostileText);

const http: fc.Arbitrary<HostileRequest> = fc
  .record({
    // What makes VMs and moves them is asked more often than each of the many others.
    route: fc.oneof(
      { weight: 1, arbitrary: fc.constantFrom(...ROUTES) },
      {
        weight: 1,
        arbitrary: fc.constantFrom(...ROUTES.filter(({ path }) => /^\/v1\/vms\/[^/]+(\/operations)?$/.test(path))),
      },
    ),
    name,
    rest,
    pick: fc.nat(100_000),
    query,
    headers,
    documents,
    mutations: someMutations,
    otherBody,
    oddMethod: fc.oneof(
      { weight: 12, arbitrary: fc.constant(null) },
      { weight: 1, arbitrary: fc.constantFrom(...ODD_METHODS) },
    ),
    stray: fc.oneof({ weight: 20, arbitrary: fc.constant("") }, { weight: 1, arbitrary: hostileText }),
  })
  .map((each) => {
    const { route, pick } = each;
    const methods = Object.keys(route.methods).map((method) => (method === "*" ? "PUT" : method));
    const method = each.oddMethod ?? methods[pick % methods.length] ?? "GET";
    const path = route.path.replace(/\{(\*?)\w+\}/g, (_, star) =>
      star === "*" ? escapeSome(each.rest) : escapeAll(each.name),
    );
    const stray = each.stray === "" ? "" : `/${escapeSome(each.stray)}`;
    const hasBody = !["GET", "HEAD", "TRACE"].includes(method);
    return {
      kind: "http",
      method,
      path: path + stray + each.query,
      headers: each.headers,
      body: hasBody ? bodyOf() : null,
    };

    function bodyOf(): string | null {
      if (each.otherBody !== null && each.otherBody !== "half") return each.otherBody.text;
      const text = mutated(documentFor(route.path, each.documents, pick), each.mutations);
      return each.otherBody === "half" ? text.slice(0, text.length >> 1) : text;
    }
  });

const HEAD = "PUT /v1/vms/fuzz-0 HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n";
const BROKEN: readonly (readonly string[])[] = [
  [`${HEAD}content-length: 1000\r\n\r\n{"id":`],
  [`${HEAD}content-length: 3\r\n\r\n{}`],
  [`${HEAD}transfer-encoding: chunked\r\n\r\nzz\r\n`],
  [`${HEAD}transfer-encoding: chunked\r\n\r\nffffffffffffffff\r\n{`],
  [`${HEAD}transfer-encoding: chunked\r\n\r\n2\r\n{}`, "\r\n"],
  [`${HEAD}transfer-encoding: chunked\r\ncontent-length: 5\r\n\r\n0\r\n\r\nGET / HTTP/1.1\r\n\r\n`],
  [`${HEAD}content-length: 1\r\ncontent-length: 2\r\n\r\n{}`],
  [`${HEAD}content-length: -1\r\n\r\n{}`],
  [`${HEAD}content-length: 99999999999999999999\r\n\r\n{}`],
  ["GET /v1/health HTTP/1.1\r\nhost: localhost\r\n", "x-slow: "],
  ["GET /v1/health HTTP/1.1\r\n".repeat(40)],
  ["GET /v1/health HTTP/1.1\r\nhost: localhost\r\n\r\n".repeat(50)],
  [`GET /v1/health HTTP/1.1\r\nhost: localhost\r\n${"a: b\r\n".repeat(500)}\r\n`],
  [`GET /${"a".repeat(20_000)} HTTP/1.1\r\nhost: localhost\r\n\r\n`],
  ["GET http://evil.example/v1/health HTTP/1.1\r\nhost: localhost\r\n\r\n"],
  ["OPTIONS * HTTP/1.1\r\nhost: localhost\r\n\r\n"],
  ["CONNECT evil.example:443 HTTP/1.1\r\nhost: localhost\r\n\r\n"],
  ["GET /v1/health\r\n\r\n"],
  ["GET /v1/health HTTP/9.9\r\n\r\n"],
  ["PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"],
  ["GET /v1/vms/\u0000 HTTP/1.1\r\nhost: localhost\r\n\r\n"],
  ["GET /v1/vms/../../etc/passwd HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n"],
  ["GET /v1//vms///x HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n"],
  ["GET //evil.example/v1/health HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n"],
  ["GET /v1/health HTTP/1.1\r\nhost: localhost\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n"],
  [
    "GET /v1/vms/fuzz-0/console HTTP/1.1\r\nhost: localhost\r\nconnection: upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 99\r\nsec-websocket-key: x\r\n\r\n",
  ],
  ["\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"],
  [""],
];

const bytes = fc.uint8Array({ maxLength: 200 }).map((each) => Buffer.from(each));
const raw: fc.Arbitrary<HostileRequest> = fc
  .record({
    pieces: fc.oneof(
      {
        weight: 5,
        arbitrary: fc.constantFrom(...BROKEN).map((each) => each.map((text) => Buffer.from(text, "latin1"))),
      },
      { weight: 1, arbitrary: fc.array(bytes, { maxLength: 4 }) },
      {
        weight: 1,
        arbitrary: fc
          .tuple(fc.constantFrom(...BROKEN), bytes)
          .map(([texts, end]) => [...texts.map((text) => Buffer.from(text, "latin1")), end]),
      },
    ),
    isReset: fc.boolean(),
  })
  .map((each) => ({ kind: "raw", ...each }));

/** A masked client frame; `first` is its first byte: FIN, reserved bits and opcode. */
function frame(first: number, payload: Buffer, length = payload.length): Buffer {
  const head = Buffer.alloc(14);
  head[0] = first;
  head[1] = 0xff;
  head.writeBigUInt64BE(BigInt(length), 2);
  return Buffer.concat([head, payload]);
}

const wsPiece: fc.Arbitrary<Buffer> = fc.oneof(
  bytes,
  bytes.map((payload) => frame(0x82, payload)),
  hostileText.map((text) => frame(0x81, Buffer.from(text))),
  fc.constantFrom(
    frame(0x81, Buffer.from('{"type":"resize","cols":0,"rows":-1}')),
    frame(0x81, Buffer.from('{"type":"reset_session"}')),
    frame(0x81, Buffer.from([0xff, 0xfe])),
    frame(0x81, Buffer.from("[".repeat(50_000))),
    frame(0x01, Buffer.from("never ends")),
    frame(0x80, Buffer.from("continues nothing")),
    frame(0xf2, Buffer.from("reserved bits")),
    frame(0x89, Buffer.alloc(126)),
    frame(0x88, Buffer.from([0x03])),
    frame(0x88, Buffer.from([0xff, 0xff])),
    frame(0x82, Buffer.alloc(10), 2 ** 40),
    frame(0x82, Buffer.alloc(70_000)),
    Buffer.from([0x82, 0x05, 1, 2, 3, 4, 5]),
    Buffer.concat(Array.from({ length: 500 }, () => frame(0x82, Buffer.from("x")))),
    Buffer.concat(Array.from({ length: 500 }, () => frame(0x89, Buffer.alloc(0)))),
  ),
);

const websocket: fc.Arbitrary<HostileRequest> = fc
  .record({
    path: fc
      .record({
        prefix: fc.constantFrom("/v1/vms/", "/vms/"),
        name,
        query: fc.constantFrom("", "?follow=1", "?readonly=1"),
      })
      .map((each) => `${each.prefix}${escapeAll(each.name)}/console${each.query}`),
    pieces: fc.array(wsPiece, { minLength: 1, maxLength: 4 }),
  })
  .map((each) => ({ kind: "websocket", ...each }));

const hostileRequest: fc.Arbitrary<HostileRequest> = fc.oneof(
  { weight: 16, arbitrary: http },
  { weight: 3, arbitrary: raw },
  { weight: 1, arbitrary: websocket },
);

export const hostileRequests = (seed: number, count: number): HostileRequest[] =>
  fc.sample(hostileRequest, { seed, numRuns: count });

/** As one segment. A lone surrogate has no UTF-8. */
const escapeAll = (text: string): string => encodeURIComponent(text.toWellFormed());
/** Slashes and dots stay. */
const escapeSome = (text: string): string => escapeAll(text).replaceAll("%2F", "/");
