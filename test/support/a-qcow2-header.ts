/** The first bytes of a qcow2 image that says what a test wants it to say (qemu docs/interop/qcow2.txt). */

export interface Qcow2Fields {
  readonly version?: number;
  readonly backingFile?: string;
  readonly backingOffset?: bigint;
  readonly backingFormat?: string;
  /** Sets the bit that goes with it, unless `incompatible` says otherwise. */
  readonly dataFile?: string;
  readonly incompatible?: bigint;
  readonly encryption?: number;
  readonly snapshots?: number;
  readonly bytes?: number;
}

export function aQcow2Header(fields: Qcow2Fields = {}): Buffer {
  const { version = 3, backingFile, backingFormat, dataFile, encryption = 0, snapshots = 0 } = fields;
  const head = Buffer.alloc(version >= 3 ? 104 : 72);
  const extensions = [
    ...(backingFormat === undefined ? [] : [extension(0xe2792aca, backingFormat)]),
    ...(dataFile === undefined || dataFile === "" ? [] : [extension(0x44415441, dataFile)]),
    extension(0, ""),
  ];
  const name = Buffer.from(backingFile ?? "");
  const before = Buffer.concat([head, ...extensions]);
  before.writeUInt32BE(0x514649fb, 0);
  before.writeUInt32BE(version, 4);
  if (backingFile !== undefined) before.writeBigUInt64BE(fields.backingOffset ?? BigInt(before.length), 8);
  before.writeUInt32BE(name.length, 16);
  before.writeUInt32BE(16, 20);
  before.writeBigUInt64BE(BigInt(fields.bytes ?? 64 * 1024 * 1024), 24);
  before.writeUInt32BE(encryption, 32);
  before.writeUInt32BE(snapshots, 60);
  if (version >= 3) {
    before.writeBigUInt64BE(fields.incompatible ?? (dataFile === undefined ? 0n : 4n), 72);
    before.writeUInt32BE(104, 100);
  }
  return Buffer.concat([before, name, Buffer.alloc(512)]);
}

function extension(type: number, text: string): Buffer {
  const bytes = Buffer.alloc(8 + Math.ceil(Buffer.byteLength(text) / 8) * 8);
  bytes.writeUInt32BE(type, 0);
  bytes.writeUInt32BE(Buffer.byteLength(text), 4);
  bytes.write(text, 8);
  return bytes;
}
