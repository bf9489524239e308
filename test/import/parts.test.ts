/** What samples do not reach: sizes, names, hostile texts, and that nothing is dropped in silence. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { fleetFiles } from "../../src/import/fleet-files.ts";
import { importTexts } from "../../src/import/import-texts.ts";
import { parseLibvirtSize, showSize, toMiB } from "../../src/import/libvirt/size.ts";
import { ManifestNames } from "../../src/import/manifest-names.ts";
import { parseXml } from "../../src/import/xml/element.ts";
import { readManifests } from "../../src/manifest/read-manifests.ts";
import { isDnsLabel } from "../../src/model/names.ts";

const importOf = (text: string) => importTexts([{ path: "x.xml", text }], new Map());
const aDomain = (inside: string, { memory = "<memory unit='MiB'>64</memory>", devices = "" } = {}) =>
  `<domain type='kvm'><name>a</name>${memory}<os><type>hvm</type><kernel>/boot/k</kernel></os>${inside}<devices>${devices}</devices></domain>`;

test("sizes in all of libvirt's spellings are the same memory", () => {
  const spellings = [
    ["1048576", undefined],
    ["1048576", "KiB"],
    ["1048576", "k"],
    ["1024", "MiB"],
    ["1024", "m"],
    ["1", "GiB"],
    ["1", "G"],
    ["1073741824", "b"],
    ["1073741824", "bytes"],
  ] as const;
  expect(spellings.map(([text, unit]) => parseLibvirtSize(text, unit))).toEqual(spellings.map(() => 1024 ** 3));
  expect(showSize(toMiB(1000 ** 3))).toBe("954MiB");
  for (const [text, unit] of [
    ["1", "parsec"],
    ["-1", "G"],
    ["1.5", "G"],
    ["", "G"],
    ["9".repeat(16), "T"],
  ] as const)
    expect(parseLibvirtSize(text, unit)).toBe(null);
});

test("NUMA cells overrule the memory that is written beside them, and DIMMs come on top", () => {
  const cells = "<cpu><numa><cell memory='1' unit='GiB'/><cell memory='1' unit='GiB'/></numa></cpu>";
  const dimm = "<memory model='dimm'><target><size unit='MiB'>256</size></target></memory>";
  const { vms } = importOf(aDomain(cells, { devices: dimm }));
  expect(vms[0]?.spec.memory).toBe("2304MiB");
});

describe("names", () => {
  test("become valid, and stay apart", () => {
    const names = new ManifestNames(["default"]);
    expect(
      ["Web_1", "web-1", "Größe", "  ", "default", "x".repeat(80), "x".repeat(80)].map((name) => names.give(name)),
    ).toEqual(["web-1", "web-1-2", "gro-e", "vm", "default-2", "x".repeat(63), `${"x".repeat(61)}-2`]);
  });

  test("whatever they are", () => {
    fc.assert(
      fc.property(fc.array(fc.string({ unit: "grapheme", maxLength: 90 }), { maxLength: 20 }), (given) => {
        const names = new ManifestNames();
        const made = given.map((name) => names.give(name));
        expect(made.every(isDnsLabel)).toBe(true);
        expect(new Set(made).size).toBe(made.length);
      }),
    );
  });
});

describe("texts that are no domains", () => {
  test.each([
    ["", "1:1: it is empty"],
    ["hello", "it is not XML: there is text outside of every element"],
    ["<domain><name>a</domain>", "it is not XML: unexpected close tag."],
    ["<domain type='kvm'>", "it is not XML: unclosed tag: domain"],
    ["<!DOCTYPE d [<!ENTITY a 'b'>]><domain/>", "it is not XML: inappropriately located doctype declaration."],
    ["<domain><name>&b;</name></domain>", "it is not XML: undefined entity."],
    [`${"<a>".repeat(70)}${"</a>".repeat(70)}`, "it is not XML: it is nested more than 64 deep"],
    ["{}", "it is not XML: there is text outside of every element"],
    ["<domain type='lxc'><name>c</name></domain>", "the domain c is of type lxc, which odorobo does not run"],
    ["<domain type='kvm'/>", "the domain has no name"],
  ])("%j", (text, message) => {
    const { vms, problems } = importOf(text);
    expect(vms).toEqual([]);
    expect(problems.map((each) => `${each.line}:${each.column}: ${each.message}`).join()).toContain(message);
  });

  test("any text at all gives VMs or problems, and never throws", () => {
    const piece = fc.constantFrom(
      "<domain type='kvm'>",
      "</domain>",
      "<name>",
      "</name>",
      "a",
      "&amp;",
      "<memory>",
      "</memory>",
      "<",
      "]]>",
      "<devices><disk/></devices>",
      "<!--",
      "-->",
    );
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          fc.array(piece, { maxLength: 30 }).map((all) => all.join("")),
        ),
        (text) => {
          const { vms, problems } = importOf(text);
          expect(vms.length + problems.length).toBeGreaterThan(text.trim().startsWith("<network") ? -1 : 0);
        },
      ),
    );
  });
});

test("places are those of the text", () => {
  const parsed = parseXml("<a>\n  <b\n    c='1'/>\n</a>");
  expect(parsed).toMatchObject([{ children: [{ line: 2, column: 3 }] }]);
});

test("an element that nobody knows is told, wherever it stands, and no text of it", () => {
  const places = [
    "",
    "<os><type>hvm</type><kernel>/k</kernel>@</os>",
    "<features>@</features>",
    "<cpu mode='host-model'>@</cpu>",
    "<clock offset='utc'>@</clock>",
  ];
  for (const place of places) {
    const inside =
      place === ""
        ? "<shiny passwd='hunter2'>s3cret</shiny>"
        : place.replace("@", "<shiny passwd='hunter2'>s3cret</shiny>");
    const text = `<domain type='kvm'><name>a</name><memory>65536</memory>${inside}${place.startsWith("<os") ? "" : "<os><type>hvm</type><kernel>/k</kernel></os>"}</domain>`;
    const [vm] = importOf(text).vms;
    expect(
      vm?.notes.map(({ what }) => what),
      place,
    ).toEqual([expect.stringMatching(/(^|\/)shiny$/)]);
    expect(JSON.stringify(vm)).not.toMatch(/hunter2|s3cret/);
  }
  const { vms } = importOf(
    aDomain("", {
      devices:
        "<disk type='file'><source file='/d'/><target dev='vda' bus='virtio'/><shiny/></disk><interface type='user' shiny='1'/>",
    }),
  );
  expect(vms[0]?.notes.map(({ what }) => what)).toEqual(["disk/shiny", "interface shiny='1'"]);
});

test("what a name or a path holds can break out of neither comment nor YAML", () => {
  const text = aDomain("<title>x: [\n# y</title>", {
    devices: "<disk type='file'><source file='/a: b #&#10;c'/><target dev='vda' bus='sata'/></disk>",
  }).replace("<name>a<", "<name>a\n: evil<");
  const { files } = fleetFiles(importOf(text).vms, {
    fleet: "f",
    node: "n1",
    address: "http://127.0.0.1:1",
    headerOf: () => "# h",
  });
  const { diagnostics, desired } = readManifests(files.map((file) => ({ ...file, blobId: null })));
  expect(diagnostics.filter(({ severity }) => severity === "error")).toEqual([]);
  expect(desired?.vms.map(({ name }) => name)).toEqual(["a-evil"]);
});
