/** What an Image says of where it is: every mistake at its place, and what is right in the words that nodes are given. */
import { describe, expect, test } from "vitest";
import { remoteKey } from "../../src/model/remote-image.ts";
import type { Disk } from "../../src/model/vm-spec.ts";
import { aDocument, aVm, mistakesIn, readWell, vmOf } from "../support/manifest-texts.ts";

const SHA256 = "ab".repeat(32);
const SHA512 = "CD".repeat(64);

const mistakes = (spec: string): string[] =>
  mistakesIn({ "i.yaml": aDocument("Image", "debian-12", spec) }).map((each) => each.replace("i.yaml:", ""));

function originOf(spec: string): Disk["origin"] {
  const vm = aVm("web", "image: debian-12\nsize: 8GiB\nboot: { firmware: seabios }\nhypervisor: qemu");
  return vmOf(readWell({ "i.yaml": aDocument("Image", "debian-12", spec), "v.yaml": vm }), "web").spec.disks[0]
    ?.origin as Disk["origin"];
}

describe("what is wrong with it", () => {
  test.each<readonly [string, string]>([
    [
      "format: raw",
      "5:1 missing-field: where is it? neither path, source nor architectures is said (source: https://…, with its sha256, is fetched by the nodes; path: /… is a file that they have)",
    ],
    [
      `path: /a.raw\nsource: https://h/a.raw\nsha256: ${SHA256}`,
      "6:9 conflicting-fields: it is said twice where it is (keep one of path, source and architectures)",
    ],
    [
      `path: /a.raw\nsha256: ${SHA256}`,
      "7:11 conflicting-fields: sha256 says how a source is fetched, and there is none (source: file:///… fetches a file of the node)",
    ],
    [
      "source: https://h/a.qcow2",
      "6:11 missing-field: what is fetched has no checksum, so nobody could tell whether it is the image (add sha256 or sha512, as the site that offers it tells; or checksums: { url: https://… }, its file of them)",
    ],
    [
      "source: http://h/a.qcow2",
      "6:11 missing-field: what is fetched has no checksum, so nobody could tell whether it is the image (add sha256 or sha512, as the site that offers it tells; or checksums: { url: https://… }, its file of them)",
    ],
    [
      `source: https://h/a.img\nsha256: ${SHA256}`,
      "6:11 missing-field: the name of the source does not say the format (add format: qcow2 or raw)",
    ],
    [
      `source: https://h/a.raw\nsha256: ${SHA256}\nsha512: ${SHA512}`,
      "7:11 conflicting-fields: more than one of sha256, sha512 and checksums is said (keep one of them)",
    ],
    [
      "source: https://h/a.raw\nchecksums: { url: http://h/SUMS }",
      "7:21 bad-value: checksums that come over http may come from anybody (give https://, or the checksum itself: sha256 or sha512)",
    ],
    [
      `format: raw\nsource: oci://registry/debian:12\nsha256: ${SHA256}`,
      "7:11 bad-value: images in OCI registries cannot be fetched yet (give the URL of a file that holds the image; or put it on the nodes, and say path)",
    ],
    [
      `source: [https://h/a.raw, ftp://h/a.raw]\nsha256: ${SHA256}`,
      "6:29 bad-value: a source is a URL that nodes can fetch (https://HOST/PATH, http://HOST/PATH or file:///PATH)",
    ],
    [
      `source: file://other/a.raw\nsha256: ${SHA256}`,
      "6:11 bad-value: file://other/ names a host, and a file is the node's own (write file:///PATH)",
    ],
    [
      `source: https://me:secret@h/a.raw\nsha256: ${SHA256}`,
      "6:11 bad-value: the source has a name or password in it, and plans, logs and reports would show it (give an address that needs none: a mirror of your own, or one that knows the nodes)",
    ],
    [
      "architectures:\n  x86_64:\n    source: https://h/a.raw",
      "8:15 missing-field: what is fetched has no checksum, so nobody could tell whether it is the image (add sha256 or sha512, as the site that offers it tells; or checksums: { url: https://… }, its file of them)",
    ],
  ])("%s", (spec, said) => {
    expect(mistakes(spec)).toEqual([said]);
  });

  test("a checksum of another length, and a secret is in no message", () => {
    expect(mistakes("source: https://h/a.raw\nsha256: abc").join()).toContain("bad-value");
    expect(mistakes(`source: https://me:hunter2@h/a.raw\nsha256: ${SHA256}`).join()).not.toContain("hunter2");
  });
});

describe("what nodes are given", () => {
  test("a URL with its checksum, kept on the node as raw bytes", () => {
    expect(originOf(`source: https://h/debian.qcow2.xz\nsha512: ${SHA512}`)).toEqual({
      kind: "image",
      image: "debian-12",
      path: "image:debian-12",
      format: "raw",
      sizeMiB: 8192,
      remote: {
        format: "qcow2",
        sources: [
          {
            architecture: null,
            urls: ["https://h/debian.qcow2.xz"],
            checksum: { algorithm: "sha512", digest: SHA512.toLowerCase() },
            compression: "xz",
          },
        ],
      },
    });
  });

  test("mirrors in order, and a file of checksums with the image's name in it", () => {
    const origin = originOf("source: [https://a/x%20y.raw, https://b/z.raw]\nchecksums: { url: https://a/SUMS }");
    expect(origin).toMatchObject({
      remote: {
        format: "raw",
        sources: [
          { urls: ["https://a/x%20y.raw", "https://b/z.raw"], checksum: { url: "https://a/SUMS", file: "x y.raw" } },
        ],
      },
    });
  });

  test("one source for each architecture", () => {
    const origin = originOf(
      `architectures:\n  x86_64: { source: https://h/x.qcow2, sha256: ${SHA256} }\n  aarch64: { source: https://h/a.qcow2.gz, sha512: ${SHA512} }`,
    );
    expect(origin).toMatchObject({
      remote: {
        sources: [
          { architecture: "x86_64", compression: "none" },
          { architecture: "aarch64", compression: "gz" },
        ],
      },
    });
  });

  test("a path stays what it was, to the letter", () => {
    expect(originOf("path: /srv/debian.qcow2")).toEqual({
      kind: "image",
      image: "debian-12",
      path: "/srv/debian.qcow2",
      format: "qcow2",
      sizeMiB: 8192,
    });
  });

  test("another checksum is another thing to fetch", () => {
    const key = (digest: string) => {
      const origin = originOf(`source: https://h/a.raw\nsha256: ${digest}`);
      return origin.kind === "image" && origin.remote ? remoteKey(origin.remote) : null;
    };
    expect(key(SHA256)).not.toBe(key("ef".repeat(32)));
    expect(key(SHA256)).toBe(key(SHA256.toUpperCase()));
  });
});
