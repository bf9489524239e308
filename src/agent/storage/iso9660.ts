/**
 * A small ISO 9660 image with a Joliet tree: files in the root folder, nothing else. Enough for a seed that Linux, the BSDs and
 * Windows all read. Pure: the same files give the same bytes (all dates are 1980-01-01).
 *
 * Sources: ECMA-119 (ISO 9660) for the layout, Microsoft's Joliet specification for the second tree, whose names may be
 * lower case and long. Layout, in sectors of 2048 bytes:
 *
 *   0..15 nothing · 16 primary descriptor · 17 Joliet descriptor · 18 end of descriptors · 19, 20 path tables · 21, 22 Joliet's
 *   23 root folder · 24 Joliet's root folder · 25… the files
 */

const SECTOR = 2048;
const PRIMARY = { descriptor: 16, type: 1, pathTable: 19, root: 23 } as const;
const JOLIET = { descriptor: 17, type: 2, pathTable: 21, root: 24 } as const;
const TERMINATOR = 18;
const FIRST_FILE = 25;

/** UCS-2 level 3, the widest of the three that Joliet knows. */
const JOLIET_ESCAPE = "%/E";
/** One root folder's record is 34 bytes twice, each file's under 150: all must fit one sector. */
const MOST_FILES = 10;

interface Entry {
  readonly name: string;
  readonly data: Buffer;
  readonly sector: number;
}

type Tree = typeof PRIMARY | typeof JOLIET;

export function isoImage(label: string, files: Readonly<Record<string, string>>): Buffer {
  const names = Object.keys(files).sort();
  if (names.length > MOST_FILES) throw new RangeError(`${names.length} files, ${MOST_FILES} is the most`);
  const entries: Entry[] = [];
  let sector = FIRST_FILE;
  for (const name of names) {
    const data = Buffer.from(files[name] ?? "", "utf8");
    entries.push({ name, data, sector });
    sector += Math.max(1, Math.ceil(data.length / SECTOR));
  }
  const image = Buffer.alloc(sector * SECTOR);
  for (const tree of [PRIMARY, JOLIET]) {
    writeDescriptor(image.subarray(tree.descriptor * SECTOR), tree, label, sector);
    writePathTables(image, tree);
    folder(tree, entries).copy(image, tree.root * SECTOR);
  }
  image.write("\xffCD001\x01", TERMINATOR * SECTOR, "latin1");
  for (const { data, sector: at } of entries) data.copy(image, at * SECTOR);
  return image;
}

function writeDescriptor(out: Buffer, tree: Tree, label: string, sectors: number): void {
  const text = (offset: number, length: number, value: string) => {
    const isJoliet = tree === JOLIET;
    const padded = value.padEnd(isJoliet ? length >> 1 : length, " ");
    (isJoliet ? ucs2(padded) : Buffer.from(padded, "latin1")).copy(out, offset, 0, length);
  };
  out.writeUInt8(tree.type, 0);
  out.write("CD001\x01", 1, "latin1");
  text(8, 32, "");
  text(40, 32, label);
  both32(out, 80, sectors);
  if (tree === JOLIET) out.write(JOLIET_ESCAPE, 88, "latin1");
  both16(out, 120, 1);
  both16(out, 124, 1);
  both16(out, 128, SECTOR);
  both32(out, 132, PATH_TABLE_BYTES);
  out.writeUInt32LE(tree.pathTable, 140);
  out.writeUInt32BE(tree.pathTable + 1, 148);
  record(Buffer.from([0]), tree.root, SECTOR, true).copy(out, 156);
  for (const offset of [190, 318, 446, 574]) text(offset, 128, "");
  for (const offset of [702, 739, 776]) text(offset, 37, "");
  for (const offset of [813, 830]) out.write("1980010100000000\0", offset, "latin1");
  for (const offset of [847, 864]) out.write("0000000000000000\0", offset, "latin1");
  out.writeUInt8(1, 881);
}

const PATH_TABLE_BYTES = 10;

/** Only the root is in it. Once for each byte order, as the standard wants. */
function writePathTables(image: Buffer, tree: Tree): void {
  const little = tree.pathTable * SECTOR;
  image.writeUInt8(1, little);
  image.writeUInt32LE(tree.root, little + 2);
  image.writeUInt16LE(1, little + 6);
  const big = little + SECTOR;
  image.writeUInt8(1, big);
  image.writeUInt32BE(tree.root, big + 2);
  image.writeUInt16BE(1, big + 6);
}

function folder(tree: Tree, entries: readonly Entry[]): Buffer {
  const self = record(Buffer.from([0]), tree.root, SECTOR, true);
  const parent = record(Buffer.from([1]), tree.root, SECTOR, true);
  const files = entries.map(({ name, data, sector }) => record(fileId(tree, name), sector, data.length, false));
  return Buffer.concat([self, parent, ...files]);
}

/** Without Joliet, readers see the upper-case name. */
const fileId = (tree: Tree, name: string): Buffer =>
  tree === JOLIET ? ucs2(`${name};1`) : Buffer.from(`${name.toUpperCase()};1`, "latin1");

function record(id: Buffer, sector: number, bytes: number, isFolder: boolean): Buffer {
  const length = 33 + id.length + (id.length % 2 === 0 ? 1 : 0);
  const out = Buffer.alloc(length);
  out.writeUInt8(length, 0);
  both32(out, 2, sector);
  both32(out, 10, bytes);
  Buffer.from([80, 1, 1, 0, 0, 0, 0]).copy(out, 18);
  out.writeUInt8(isFolder ? 2 : 0, 25);
  both16(out, 28, 1);
  out.writeUInt8(id.length, 32);
  id.copy(out, 33);
  return out;
}

const ucs2 = (text: string): Buffer => Buffer.from(text, "utf16le").swap16();

/** Numbers stand in both byte orders, little first. */
function both16(out: Buffer, offset: number, value: number): void {
  out.writeUInt16LE(value, offset);
  out.writeUInt16BE(value, offset + 2);
}

function both32(out: Buffer, offset: number, value: number): void {
  out.writeUInt32LE(value, offset);
  out.writeUInt32BE(value, offset + 4);
}
