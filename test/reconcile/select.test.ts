/** What `--target` and `--exclude` answer to. */
import { expect, test } from "vitest";
import { isSelected, splitPatterns, unmatchedPatterns } from "../../src/reconcile/select.ts";

const vm = (name: string, labels: Readonly<Record<string, string>> = {}) => ({ name, labels });

const targets = (...patterns: string[]) => ({ targets: patterns, excludes: [] });

test.each([
  ["db", "db", true],
  ["db", "db-1", false],
  ["db", "old-db", false],
  ["web-*", "web-12", true],
  ["web-*", "web-", true],
  ["web-*", "old-web-1", false],
  ["*-1", "web-1", true],
  ["*-1", "web-12", false],
  ["web-?", "web-1", true],
  ["web-?", "web-12", false],
  ["web-?", "web-", false],
  // What else means something in a regular expression is a letter like any other.
  ["web.1", "web-1", false],
  ["web.1", "web.1", true],
  ["web|db", "db", false],
  ["[wd]b", "db", true],
  ["[wd]b", "[wd]b", false],
  ["web-[1-3]", "web-2", true],
  ["web-[1-3]", "web-4", false],
  ["web-[1-3]", "web--", false],
  ["web-[1-1]", "web-1", true],
  ["web-[!1-3]", "web-4", true],
  ["web-[!1-3]", "web-2", false],
  ["[a-c][0-9]", "b7", true],
  // What is no set, not closed or the wrong way round stands for itself.
  ["web-[3-1]", "web-2", false],
  ["web-[3-1]", "web-[3-1]", true],
  ["web-[1-31-0]", "web-2", false],
  ["[D]b", "Db", false],
  ["[D]b", "[D]b", true],
  ["[]", "[]", true],
  ["web-[1", "web-[1", true],
  ["web-[1", "web-1", false],
  ["{web,db}-1", "db-1", true],
  ["{web,db}-1", "web-1", true],
  ["{web,db}-1", "web,db-1", false],
  ["{web,db}-1", "webdb-1", false],
  ["{web-*,d?}", "web-12", true],
  ["{web-*,d?}", "db", true],
  ["{web-*,d?}", "dbb", false],
  ["{}", "{}", true],
  ["{}", "", false],
  ["{a", "{a", true],
  ["db$", "db", false],
  ["^db", "db", false],
  ["db+", "dbb", false],
  ["(db)", "db", false],
  ["d{1}", "d", false],
  ["d{1}", "d1", true],
  ["d\\w", "db", false],
])("%s on %s: %s", (pattern, name, expected) => {
  expect(isSelected(vm(name), targets(pattern))).toBe(expected);
});

test("a label answers with its whole value, up to the first `=` is its key", () => {
  const web = vm("a", { app: "web", query: "x=1", empty: "" });
  expect(isSelected(web, targets("app=web"))).toBe(true);
  expect(isSelected(web, targets("app=we"))).toBe(false);
  expect(isSelected(web, targets("app=*"))).toBe(false);
  expect(isSelected(web, targets("query=x=1"))).toBe(true);
  expect(isSelected(web, targets("empty="))).toBe(true);
  expect(isSelected(web, targets("other="))).toBe(false);
  expect(isSelected(vm("=web", { "": "web" }), targets("=web"))).toBe(true);
});

test("a label that nobody gave is not found where objects have some of their own", () => {
  expect(isSelected(vm("a"), targets(`toString=${Object.prototype.toString}`))).toBe(false);
});

test("excluding wins over targeting, and without targets all others are meant", () => {
  expect(isSelected(vm("a"), null)).toBe(true);
  expect(isSelected(vm("a"), { targets: [], excludes: [] })).toBe(true);
  expect(isSelected(vm("a"), { targets: [], excludes: ["b"] })).toBe(true);
  expect(isSelected(vm("a"), { targets: ["a"], excludes: ["a"] })).toBe(false);
  expect(isSelected(vm("a"), { targets: ["b"], excludes: ["c"] })).toBe(false);
  expect(isSelected(vm("a"), { targets: ["b", "a"], excludes: ["c", "b"] })).toBe(true);
});

test("patterns that nothing answers to are named, the targets first", () => {
  const vms = [vm("a"), vm("b", { app: "web" })];
  expect(unmatchedPatterns(null, vms)).toEqual([]);
  expect(unmatchedPatterns({ targets: ["x", "a", "app=db"], excludes: ["b", "y-*"] }, vms)).toEqual([
    "x",
    "app=db",
    "y-*",
  ]);
});

test.each<[string, string[]]>([
  ["web-1,web-2", ["web-1", "web-2"]],
  [" web-1 , app=web ,", ["web-1", "app=web"]],
  ["{web,db}-1,b", ["{web,db}-1", "b"]],
  ["a,{b", ["a", "{b"]],
  // Nothing answers to it, which is said.
  [",", [","]],
  ["", []],
])("`%s` is the patterns %j", (text, expected) => {
  expect(splitPatterns(text)).toEqual(expected);
});
