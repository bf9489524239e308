/** Disks of every kind, each as many URLs that mean it, as people and programs write them. */
import fc from "fast-check";

export interface Spelt {
  /** Unlike any other disk's. */
  readonly disk: string;
  readonly url: string;
}

const name = fc.string({ unit: fc.constantFrom(..."aZ0-_.#?%@ +&=é:".split("")), minLength: 1, maxLength: 8 });
/** No `.` and `..`, which are places and not names. */
const part = name.filter((each) => !/^\.+$/.test(each));
/** Of hosts and schemes. */
const anyCase = (text: string) =>
  fc
    .array(fc.boolean(), { minLength: text.length, maxLength: text.length })
    .map((flips) => [...text].map((letter, index) => (flips[index] ? letter.toUpperCase() : letter)).join(""));

/** `%` and what would end the name are always written so, other letters sometimes. */
const encoded = (text: string, must: RegExp) =>
  fc
    .array(fc.boolean(), { minLength: text.length, maxLength: text.length })
    .map((flips) =>
      [...text]
        .map((letter, index) =>
          flips[index] || must.test(letter)
            ? [...new TextEncoder().encode(letter)].map((byte) => `%${byte.toString(16).padStart(2, "0")}`).join("")
            : letter,
        )
        .join(""),
    );

const slashes = fc.constantFrom("/", "//", "/./", "/x/../");

const path = (parts: readonly string[], must = /[%/]/) =>
  fc
    .tuple(fc.tuple(...parts.map((each) => fc.tuple(slashes, encoded(each, must)))), fc.constantFrom("", "/"))
    .map(([each, end]) => each.flat().join("") + end);

const file = fc
  .array(part, { minLength: 1, maxLength: 4 })
  .map((parts) =>
    fc
      .tuple(anyCase("file"), fc.constantFrom("//", "//localhost"), path(parts))
      .map(([scheme, host, rest]) => ({ disk: `file ${JSON.stringify(parts)}`, url: `${scheme}:${host}${rest}` })),
  );

const HOSTS = [
  ["10.0.0.1", ["10.0.0.1", "10.0.1", "[::ffff:10.0.0.1]", "[::FFFF:A00:1]"]],
  ["fd00::1", ["[fd00::1]", "[FD00:0:0:0:0:0:0:1]", "[fd00:0::0001]"]],
  ["san.example", ["san.example", "SAN.Example", "san.example."]],
  ["localhost", ["localhost", "127.0.0.1", "LOCALHOST"]],
] as const;

const server = (defaultPort: number) =>
  fc.tuple(fc.constantFrom(...HOSTS), fc.constantFrom(defaultPort, 4000)).map(([[host, spellings], port]) => ({
    server: `${host} ${port}`,
    said: fc
      .tuple(
        fc.constantFrom(...spellings),
        fc.constantFrom(...(port === defaultPort ? ["", `:${port}`, ":"] : [`:${port}`, `:0${port}`])),
      )
      .map((parts) => parts.join("")),
  }));

const ends = fc.constantFrom("", "/");
const between = fc.constantFrom("/", "//");

const nbd = fc.tuple(server(10_809), name).map(([at, disk]) =>
  fc.tuple(anyCase("nbd"), at.said, between, encoded(disk, /[%/?]/), ends).map(([scheme, host, slash, said, end]) => ({
    disk: `nbd ${at.server} ${disk}`,
    url: `${scheme}://${host}${slash}${said}${end}`,
  })),
);

const nbdUnix = fc.tuple(fc.array(part, { minLength: 1, maxLength: 3 }), name).map(([socket, disk]) =>
  fc.tuple(encoded(disk, /[%/?]/), path(socket, /[%/&]/)).map(([said, at]) => ({
    disk: `nbd+unix ${JSON.stringify(socket)} ${disk}`,
    url: `nbd+unix:///${said}?socket=${at}`,
  })),
);

const rbd = fc.tuple(part, fc.option(part), part, fc.option(part)).map(([pool, space, image, snapshot]) =>
  fc
    .tuple(
      between,
      encoded(pool, /[%/?@]/),
      encoded(space ?? "", /[%/?@]/),
      encoded(image, /[%/?@]/),
      encoded(snapshot ?? "", /[%/?@]/),
    )
    .map(([slash, a, b, c, d]) => ({
      disk: `rbd ${JSON.stringify([pool, space, image, snapshot])}`,
      url: `rbd://${a}${slash}${space === null ? "" : `${b}/`}${c}${snapshot === null ? "" : `@${d}`}`,
    })),
);

const iscsi = fc
  .tuple(server(3260), fc.constantFrom("iqn.2020-01.org.example:x", "eui.02004567a425678d"), fc.nat(3))
  .map(([at, target, lun]) =>
    fc
      .tuple(
        at.said,
        anyCase(target),
        fc.constantFrom(...(lun === 0 ? ["", "/", "/0", "/00/"] : [`/${lun}`, `/0${lun}`])),
      )
      .map(([host, said, end]) => ({
        disk: `iscsi ${at.server} ${target} ${lun}`,
        url: `iscsi://${host}/${said}${end}`,
      })),
  );

/** The disk is chosen first, then how it is spelt. */
const anyDisk: fc.Arbitrary<fc.Arbitrary<Spelt>> = fc.oneof(file, nbd, nbdUnix, rbd, iscsi);

export const anyDiskUrl = anyDisk.chain((disk) => disk);

/** Half of them one disk in two spellings. */
export const anyTwoDiskUrls = fc.oneof(
  anyDisk.chain((disk) => fc.tuple(disk, disk)),
  fc.tuple(anyDiskUrl, anyDiskUrl),
);
