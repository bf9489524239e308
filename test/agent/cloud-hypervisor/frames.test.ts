/** What a relay knows of the talk between two Cloud Hypervisors: where a request ends, however it comes in, and what it says of a host. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { configForHere } from "../../../src/agent/hypervisor/cloud-hypervisor/moving/config-for-here.ts";
import {
  AnswerReader,
  COMMAND,
  type Command,
  type Piece,
  RequestReader,
} from "../../../src/agent/hypervisor/cloud-hypervisor/moving/frames.ts";
import type { VmConfig } from "../../../src/model/cloud-hypervisor/vm-config.ts";

interface Request {
  readonly command: Command;
  readonly payload: Buffer;
  readonly contents: Buffer;
}

const anyRequest: fc.Arbitrary<Request> = fc.oneof(
  fc
    .constantFrom<Command[]>(COMMAND.start, COMMAND.complete, COMMAND.completePaused, COMMAND.abandon)
    .map((command) => ({
      command,
      payload: Buffer.alloc(0),
      contents: Buffer.alloc(0),
    })),
  fc
    .tuple(fc.constantFrom<Command[]>(COMMAND.config, COMMAND.state), fc.uint8Array({ maxLength: 90 }))
    .map(([command, bytes]) => ({
      command,
      payload: Buffer.from(bytes),
      contents: Buffer.alloc(0),
    })),
  fc.array(fc.nat(70), { maxLength: 5 }).map((lengths) => ({
    command: COMMAND.memory,
    payload: Buffer.concat(lengths.map((length) => range(length))),
    contents: Buffer.alloc(
      lengths.reduce((sum, length) => sum + length, 0),
      7,
    ),
  })),
);

function range(length: number): Buffer {
  const bytes = Buffer.alloc(16, 0xff);
  bytes.writeBigUInt64LE(BigInt(length), 8);
  return bytes;
}

function headOf(command: number, length: number | bigint): Buffer {
  const head = Buffer.alloc(16);
  head.writeUInt16LE(command, 0);
  head.writeBigUInt64LE(BigInt(length), 8);
  return head;
}

const bytesOf = ({ command, payload, contents }: Request): Buffer =>
  Buffer.concat([headOf(command, payload.length), payload, contents]);

function* inPieces(bytes: Buffer, sizes: readonly number[]): Iterable<Buffer> {
  let at = 0;
  for (let turn = 0; at < bytes.length; turn++) {
    const size = sizes[turn % sizes.length] ?? 1;
    yield bytes.subarray(at, at + size);
    at += size;
  }
}

describe("requests", () => {
  test("however they are cut, each ends where it ends, and nothing is lost", () => {
    const sizes = fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 6 });
    fc.assert(
      fc.property(fc.array(anyRequest, { maxLength: 8 }), sizes, (requests, cuts) => {
        const all = Buffer.concat(requests.map(bytesOf));
        const reader = new RequestReader();
        const pieces: Piece[] = [];
        for (const chunk of inPieces(all, cuts)) pieces.push(...reader.read(chunk));
        expect(reader.isBetween).toBe(true);
        const ends = pieces.flatMap((piece) => (piece.kind === "end" ? [piece.command] : []));
        expect(ends).toEqual(requests.map(({ command }) => command));
        const read = pieces.flatMap((piece) => (piece.kind === "end" ? [] : [piece.bytes]));
        expect(Buffer.concat(read).equals(all)).toBe(true);
      }),
    );
  });

  test.each([
    ["a command of another release", headOf(42, 0)],
    ["a descriptor, which no relay can pass on", headOf(7, 8)],
    ["a table that is cut", headOf(COMMAND.memory, 24)],
    ["a greeting with something behind it", headOf(COMMAND.start, 1)],
    ["a configuration without end", headOf(COMMAND.config, 2n ** 63n)],
  ])("%s is none that this agent passes on", (_what, head) => {
    expect(() => [...new RequestReader().read(head)]).toThrow(expect.objectContaining({ code: "UNSUPPORTED" }));
  });

  test("a range without end is none, either", () => {
    const table = Buffer.alloc(16, 0xff);
    expect(() => [...new RequestReader().read(Buffer.concat([headOf(COMMAND.memory, 16), table]))]).toThrow(
      expect.objectContaining({ code: "UNSUPPORTED" }),
    );
  });
});

test("answers are read one by one, however they are cut", () => {
  const reader = new AnswerReader();
  const all = Buffer.concat([headOf(1, 0), headOf(2, 0), headOf(1, 0)]);
  const read = [...inPieces(all, [5, 30, 13])].flatMap((chunk) => [...reader.read(chunk)]);
  expect(read.map(({ isOk }) => isOk)).toEqual([true, false, true]);
});

describe("a configuration", () => {
  const own = {
    payload: { kernel: "/here/tiny.elf" },
    disks: [{ id: "data", path: "/here/data.raw" }],
    net: [{ id: "eth0", tap: "here0" }],
    serial: { mode: "Pty" },
    landlock_rules: [{ path: "/here", access: "rw" }],
  } as unknown as VmConfig;
  const travelling = (config: string) =>
    Buffer.from(`{"vm_config":${config},"memory_manager_data":{"end":18446744073709547519}}`);

  test("names what is the host's as the new host does, and everything else stays as it is written", () => {
    const text = configForHere(
      travelling(
        '{"payload":{"kernel":"/there/tiny.elf","cmdline":"x"},"disks":[{"id":"data","path":"/there/data.raw","direct":true},{"id":"hot","path":"/shared/hot.raw"}],' +
          '"net":[{"id":"eth0","tap":"there0","host_mac":"02:00:00:00:00:01","mac":"02:00:00:00:00:02"}],"serial":{"mode":"Socket","socket":"/there/s"},' +
          '"memory":{"size":1e9,"hotplug_size":9007199254740993},"landlock_enable":true,"landlock_rules":[{"path":"/there","access":"rw"}]}',
      ),
      own,
    ).toString("utf8");
    expect(text).not.toContain("/there");
    expect(text).toContain('"end":18446744073709547519');
    expect(text).toContain('"size":1e9,"hotplug_size":9007199254740993');
    expect(JSON.parse(text).vm_config).toMatchObject({
      payload: { kernel: "/here/tiny.elf", cmdline: "x" },
      disks: [
        { id: "data", path: "/here/data.raw", direct: true },
        { id: "hot", path: "/shared/hot.raw" },
      ],
      // Up to v53 a process writes down which address the tap had; given to another tap, it would need the right to change that.
      net: [{ id: "eth0", tap: "here0", host_mac: null, mac: "02:00:00:00:00:02" }],
      serial: { mode: "Pty", socket: null },
      landlock_rules: [{ path: "/here", access: "rw" }],
    });
  });

  test("that is none is passed on: who reads it says so", () => {
    expect(configForHere(Buffer.from("{}"), own).toString()).toBe("{}");
  });

  test("of a VM that is confined to nothing gets no rules", () => {
    const text = configForHere(travelling('{"landlock_enable":false,"landlock_rules":null}'), own).toString("utf8");
    expect(JSON.parse(text).vm_config).toEqual({ landlock_enable: false, landlock_rules: null });
  });
});
