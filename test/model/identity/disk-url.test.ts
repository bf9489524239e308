/** One disk has one name: whatever means the same is the same, and nothing else is. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { canonicalDiskUrl, filePath, fileUrl, parseDiskUrl, schemeOf } from "../../../src/model/identity/disk-url.ts";
import { normalPath } from "../../../src/model/identity/path.ts";
import { anyTwoDiskUrls } from "../../support/any-disk-url.ts";

test("spellings of one disk have one identity, other disks others, and the identity is its own", () => {
  fc.assert(
    fc.property(fc.array(anyTwoDiskUrls, { minLength: 1, maxLength: 6 }), (pairs) => {
      const all = pairs.flat();
      for (const one of all) {
        const canonical = canonicalDiskUrl(one.url);
        expect(parseDiskUrl(one.url)).not.toMatchObject({ kind: "problem" });
        expect(canonicalDiskUrl(canonical)).toBe(canonical);
        for (const other of all)
          expect([one, other, canonicalDiskUrl(other.url) === canonical]).toEqual([
            one,
            other,
            one.disk === other.disk,
          ]);
      }
    }),
    { numRuns: 500 },
  );
});

test.each([
  ["nbd://h/%zz", /followed by no byte/],
  ["nbd://h/a/b", /./],
  ["nbd+unix:///%zz?socket=/s", /followed by no byte/],
  ["nbd+unix://h/a?socket=/s", /has a host/],
  ["nbd+unix:///a/b?socket=/s", /./],
  ["nbd+unix:///a", /socket/],
  ["file:relative", /no absolute path/],
  ["file:///", /names no file/],
  ["file:///a%00b", /zero byte/],
])("%s names nothing that can be opened", (url, why) => {
  expect(parseDiskUrl(url)).toEqual({ kind: "problem", message: expect.stringMatching(why), hint: expect.any(String) });
});

test("a path and its URL are each other's", () => {
  fc.assert(
    fc.property(fc.string({ minLength: 1 }), (text) => {
      const path = normalPath(`/${text.replaceAll("\0", "")}`);
      if (path === "/" || !path.isWellFormed()) return;
      expect(filePath(fileUrl(path))).toBe(path);
      expect(filePath(path)).toBe(path);
    }),
  );
});

test.each([
  ["file:///a/disk#2.raw", "/a/disk#2.raw"],
  ["file:///a/disk%232.raw", "/a/disk#2.raw"],
  ["file:///a/b?c", "/a/b?c"],
  ["file:///a/50%25", "/a/50%"],
  ["file:///a/%2e%2e/b", "/b"],
])("%s is %s", (url, path) => {
  expect(filePath(url)).toBe(path);
});

test.each([
  "file:///",
  "file://host/x",
  "file:x",
  "file:///a%zz",
  "file:///a%",
  "file:///a%ff",
  "file:///a%00",
  "nbd:///x",
  "nbd://h:0/x",
  "nbd://h:70000/x",
  "nbd://h/a/b",
  "nbd://h/x?tls=1",
  "nbd://me@h/x",
  "nbd://[fd00::1/x",
  "nbd+unix:///x",
  "nbd+unix:///x?socket=relative",
  "nbd+unix:///x?socket=/a&socket=/b",
  "nbd+unix://host/x?socket=/a",
  "rbd://pool",
  "rbd:///image",
  "rbd://pool/a/b/c",
  "rbd://pool/a@",
  "iscsi://san",
  "iscsi://san/target/x",
  "iscsi://san/target/1/2",
  "nbd://h/a\nb",
  "http://h/x",
  "nonsense",
  "",
])("%j is no disk, and says why", (url) => {
  expect(parseDiskUrl(url)).toMatchObject({
    kind: "problem",
    message: expect.stringMatching(/./),
    hint: expect.stringMatching(/./),
  });
  expect(canonicalDiskUrl(url)).toBe(url);
});

test("schemes are known in any case", () => {
  expect(["NBD+Unix:///x", "file:///a", "/a", ""].map(schemeOf)).toEqual(["nbd+unix", "file", "", ""]);
});
