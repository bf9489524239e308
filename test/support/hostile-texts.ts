/** Texts that are meant to hurt, of about as many bytes as asked: whoever reads them takes twice as long for twice as many. */
import { aVm } from "./manifest-texts.ts";

/** As often as it takes. */
const fill = (bytes: number, piece: (index: number) => string, before = "", after = ""): string => {
  const pieces = [before];
  for (let length = before.length, index = 0; length < bytes; index++) {
    const next = piece(index);
    pieces.push(next);
    length += next.length;
  }
  return pieces.join("") + after;
};

const spec = (bytes: number, key: string, piece: (index: number) => string, after = "\n"): string =>
  fill(bytes, piece, `${aVm("a", "size: 1GiB")}  ${key}:`, after);

export const HOSTILE: Readonly<Record<string, (bytes: number) => string>> = {
  "userData:| without spaces": (n) => fill(n, () => "userData:|"),
  "userData: with quotes that never end": (n) => fill(n, () => "userData:'./"),
  "userData: with anchors": (n) => fill(n, () => "userData: &a\n"),
  "unknown fields": (n) => fill(n, (i) => `  unknown${i}: 1\n`, aVm("a", "size: 1GiB")),
  "unknown fields in one flow map": (n) => spec(n, "cpus", (i) => `${i === 0 ? " {" : ","} u${i}: 1`, "}\n"),
  "unknown fields in many disks": (n) => spec(n, "disks", (i) => `\n    - { name: d${i}, foo: 1, size: x }`),
  "wrong values in many nics": (n) => spec(n, "nics", (i) => `\n    - { name: n${i}, mac: x, address: y }`),
  "disks of one name": (n) => spec(n, "disks", () => "\n    - { name: d, size: 1MiB }"),
  "wrong items of a list of texts": (n) => spec(n, "ignore", (i) => `\n    - ${i}`),
  "pointers that ignore nothing": (n) => spec(n, "ignore", (i) => `\n    - /spec/x${i}`),
  "nodes that are not there": (n) => spec(n, "placement", (i) => `${i === 0 ? " { nodes: [" : ","} n${i}`, "] }\n"),
  "one key again and again": (n) => fill(n, () => "  size: 1GiB\n", aVm("a", "size: 1GiB")),
  "labels that are no text": (n) =>
    fill(n, (i) => `    l${i}: ${i}\n`, aVm("a", "size: 1GiB", "labels:").replace(/spec:[\s\S]*/, "")),
  "labels with wrong keys": (n) =>
    fill(n, (i) => `    "_${i}": x\n`, aVm("a", "size: 1GiB", "labels:").replace(/spec:[\s\S]*/, "")),
  "fields that Cloud Hypervisor lacks": (n) => spec(n, "cloudHypervisor", (i) => `\n    u${i}: text${i}`),
  "wrong items in a passthrough": (n) =>
    spec(n, "cloudHypervisor", (i) => `${i === 0 ? "\n    fs:" : ""}\n      - { id: f${i}, tag: 5 }`),
  "small documents": (n) => fill(n, (i) => `---\n${aVm(`v${i}`)}`),
  "documents with one name": (n) => fill(n, () => `---\n${aVm("v")}`),
  "documents that are nobody's": (n) => fill(n, (i) => `---\na: ${i}\n`),
  "empty documents": (n) => fill(n, () => "---\n"),
  "documents of a kind that is not there": (n) => fill(n, () => "---\napiVersion: odorobo.dev/v1\nkind: Vm\n"),
  "profiles that are not there": (n) => fill(n, (i) => `---\n${aVm(`v${i}`, `size: 1GiB\nprofile: p${i}`)}`),
  "profiles on one another": (n) =>
    fill(
      n,
      (i) => `---\napiVersion: odorobo.dev/v1\nkind: Profile\nmetadata: { name: p${i} }\nspec: { base: p${i + 1} }\n`,
    ),
  anchors: (n) => spec(n, "cloudHypervisor", (i) => `\n    a${i}: &a${i} 1`),
  "aliases of nothing": (n) => spec(n, "cloudHypervisor", (i) => `\n    a${i}: *a${i}`),
  "aliases of one text": (n) => spec(n, "cloudHypervisor", (i) => (i === 0 ? "\n    a: &a 1" : `\n    a${i}: *a`)),
  "opening brackets": (n) => fill(n, () => "["),
  "opening braces": (n) => fill(n, () => "{ a: "),
  "brackets that close": (n) => "[".repeat(n / 2) + "]".repeat(n / 2),
  "closing brackets": (n) => fill(n, () => "]"),
  "a flow list in one line": (n) => spec(n, "ignore", (i) => `${i === 0 ? " [" : ","} x`, "]\n"),
  "items in a step each": (n) => fill(n, () => "- "),
  "question marks": (n) => fill(n, () => "? "),
  colons: (n) => fill(n, () => ": "),
  "keys without values": (n) => fill(n, (i) => `k${i}:\n`),
  comments: (n) => fill(n, () => "# c\n", aVm("a")),
  "empty lines": (n) => fill(n, () => "\n", aVm("a"), "x: 1\n"),
  spaces: (n) => fill(n, () => " ", "a:", "b"),
  tabs: (n) => fill(n, () => "\t", "a:", "b"),
  "lines that begin with a tab": (n) => fill(n, () => "\ta: 1\n"),
  "one long word": (n) => fill(n, () => "x"),
  "one long key": (n) => fill(n, () => "x", "", ": 1\n"),
  "a long text in quotes": (n) => fill(n, () => "\\u0061", 'a: "', '"\n'),
  "a text in quotes over many lines": (n) => fill(n, () => "x\n\n  ", 'a: "', '"\n'),
  "quotes that open and close": (n) => fill(n, () => '"" '),
  "a block of many lines": (n) =>
    fill(
      n,
      (i) => `    line ${i}\n`,
      aVm("a", "size: 1GiB\ncloudInit:\n  userData: |\n    #cloud-config").replace("    #cloud", "      #cloud"),
    ),
  "a folded block of many lines": (n) =>
    fill(n, (i) => `      line ${i}\n\n`, `${aVm("a", "size: 1GiB")}  cloudInit:\n    userData: >\n`),
  "lines of a block that lost their indentation": (n) =>
    fill(n, (i) => `password${i}: x\n`, `${aVm("a", "size: 1GiB")}  cloudInit:\n    userData: |\n`),
  tags: (n) => fill(n, () => "!a "),
  "tags of values": (n) => spec(n, "cloudHypervisor", (i) => `\n    a${i}: !t 1`),
  directives: (n) => fill(n, () => "%X\n"),
  "carriage returns": (n) => fill(n, () => "\r"),
  "byte order marks": (n) => fill(n, () => "\uFEFF"),
  "merge keys": (n) => fill(n, () => "  <<: { a: 1 }\n", aVm("a", "size: 1GiB")),
  "conflict marks": (n) => fill(n, () => "<<<<<<< HEAD\na: 1\n=======\na: 2\n>>>>>>> x\n"),
  "curly quotes": (n) => fill(n, (i) => `  k${i}: “x”\n`, aVm("a", "size: 1GiB")),
  "spaces that do not break": (n) => fill(n, (i) => `  k${i}:\u00a0x\n`, aVm("a", "size: 1GiB")),
};
