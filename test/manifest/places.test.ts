/** Places are kept as a text, for a document that is seldom asked: both ways of reading it say the same, of every value. */
import { expect, test } from "vitest";
import { findPlace, PlacesWriter, type Segments } from "../../src/manifest/text/places.ts";

const DOCUMENT = { spec: { cpus: 2, nics: [{ name: "eth0" }, { name: "eth1", mac: null }] }, last: "x" };

/** In the order of a walk, with the document itself first. */
const ALL: readonly Segments[] = [
  [],
  ["spec"],
  ["spec", "cpus"],
  ["spec", "nics"],
  ["spec", "nics", 0],
  ["spec", "nics", 0, "name"],
  ["spec", "nics", 1],
  ["spec", "nics", 1, "name"],
  ["spec", "nics", 1, "mac"],
  ["last"],
];

/** Each with other numbers, whose keys do not all lie behind one another's: so it is with merged keys. */
const placeOf = (index: number) => {
  const keyStart = (index * 37) % 101;
  return { keyStart, keyEnd: keyStart + 3, start: keyStart + 5 + index, end: keyStart + 40 + 2 * index };
};

function written(): string {
  const writer = new PlacesWriter();
  for (const index of ALL.keys()) {
    const { keyStart, keyEnd, start, end } = placeOf(index);
    const handle = writer.add(keyStart, keyEnd, start, index % 2 === 0 ? end : 0);
    if (index % 2 === 1) writer.setEnd(handle, end);
  }
  return writer.toString();
}

test("every value's place is read back, by the first questions and by those that an index answers", () => {
  const places = written();
  expect(places.split(" ")).toHaveLength(4 * ALL.length);
  const document = structuredClone(DOCUMENT);
  for (const time of [1, 2, 3])
    for (const [index, segments] of ALL.entries())
      expect(findPlace(document, places, segments), `${segments.join("/")}, time ${time}`).toEqual(placeOf(index));
});

test("what is not there has no place", () => {
  const document = structuredClone(DOCUMENT);
  for (let time = 0; time < 12; time++)
    for (const segments of [
      ["spec", "none"],
      ["spec", "cpus", "x"],
      ["spec", "nics", 2],
      ["spec", "nics", 0, "mac"],
    ])
      expect(findPlace(document, written(), segments)).toBeNull();
  expect(findPlace("a text", written(), [])).toEqual(placeOf(0));
  expect(findPlace("a text", written(), ["x"])).toBeNull();
  // Cut short, as a cache file may be: nothing is made up.
  expect(findPlace({ ...DOCUMENT }, "0 0 0 1", ["spec"])).toBeNull();
});
