/** How a field of a VmConfig is described: enough to find what Cloud Hypervisor would silently ignore or choke on, and its defaults. */

export type Field = Scalar | RecordField | ListField;

interface Common {
  /** The first major version that knows it. Left out: all that odorobo works with do. */
  readonly since?: number;
  readonly required?: true;
}

export type Scalar = Common &
  (
    | { readonly type: "boolean"; readonly default?: boolean }
    | { readonly type: "integer"; readonly min: number; readonly max: number; readonly default?: number }
    | {
        readonly type: "text";
        readonly default?: string;
        /** By value, since when: 0 for always. Left out: any text. */
        readonly oneOf?: Readonly<Record<string, number>>;
      }
  );

export interface RecordField extends Common {
  readonly type: "record";
  readonly fields: Fields;
  /** It is always there: filled with the defaults of its fields. */
  readonly always?: true;
}

export interface ListField extends Common {
  readonly type: "list";
  readonly of: Field;
}

export type Fields = Readonly<Record<string, Field>>;

/** A field for each that the type has: the compiler keeps table and type in step. */
export type FieldsOf<T> = { readonly [Key in keyof Required<T>]: Field };

type More = Common;

export const bool = (value?: boolean, more: More = {}): Field => ({
  type: "boolean",
  ...(value === undefined ? {} : { default: value }),
  ...more,
});

const integer =
  (max: number) =>
  (more: More & { readonly min?: number; readonly max?: number; readonly default?: number } = {}): Field => ({
    type: "integer",
    min: 0,
    max,
    ...more,
  });

export const u8 = integer(255);
export const u16 = integer(65_535);
export const u32 = integer(4_294_967_295);
/** As far as JSON numbers are exact, which is 8 PiB. */
export const u64 = integer(Number.MAX_SAFE_INTEGER);

/** Descriptors, which are given beside the request and only said by `vm.info`. */
export const descriptor: Field = { type: "integer", min: -1, max: 2_147_483_647 };

export const text = (more: More & { readonly default?: string } = {}): Field => ({ type: "text", ...more });

export const oneOf = (values: Readonly<Record<string, number>>, value?: string, more: More = {}): Field => ({
  type: "text",
  oneOf: values,
  ...(value === undefined ? {} : { default: value }),
  ...more,
});

export const list = (of: Field, more: More = {}): Field => ({ type: "list", of, ...more });

export const record = <T>(fields: FieldsOf<T>, more: More & { readonly always?: true } = {}): RecordField => ({
  type: "record",
  fields,
  ...more,
});

export const REQUIRED = { required: true } as const;
