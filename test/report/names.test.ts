import { expect, test } from "vitest";
import { showCounts, showNames } from "../../src/report/words/names.ts";
import { showDifference, showMilliseconds, showSeconds, showValue } from "../../src/report/words/values.ts";

test("runs of numbered names become ranges, and no name is lost or invented", () => {
  expect(showNames(["web-2", "web-1", "db", "web-3", "web-10"])).toBe("db, web-1…web-3, web-10");
  expect(showNames(["n08", "n09", "n10"])).toBe("n08, n09, n10");
  expect(showNames(["a-1", "a-2"])).toBe("a-1, a-2");
  // 01 and 1 are two names and stay two: the zero belongs to the stem.
  expect(showNames(["n01", "n02", "n03", "n1", "n2", "n3"])).toBe("n01…n03, n1…n3");
});

test("values are shown with their units, and of objects only what differs", () => {
  expect(showValue("memory.size", 4096)).toBe("4 GiB");
  expect(showValue("memory.size", 1500)).toBe("1500 MiB");
  expect(showValue("labels", {})).toBe("none");
  expect(
    showDifference(
      "disks.root",
      { name: "root", origin: { kind: "blank", sizeMiB: 1024 } },
      { name: "root", origin: { kind: "blank", sizeMiB: 2048 } },
    ),
  ).toEqual(["disks.root.origin.size: 1 GiB → 2 GiB"]);
  expect([showSeconds(90), showSeconds(604_800), showMilliseconds(61_000)]).toEqual(["90 s", "7 d", "1 min 1 s"]);
});

test("how many there are of each, by name, and how many names were left out", () => {
  const names = ["n2", "n1", "n2", "n3"];
  expect(showCounts(names, 2)).toBe("n1 (1), n2 (2) and 1 more");
  expect(showCounts(names, 3)).toBe("n1 (1), n2 (2), n3 (1)");
  expect(showCounts(names, 4)).toBe("n1 (1), n2 (2), n3 (1)");
});
