/**
 * What may be shown of a manifest to everybody who reads a CI log: words of our own schemas, and values that a schema allows
 * and that have no room for a secret. An allow-list: what nobody thought of is not shown.
 *
 *   document-schemas.ts → [harmless.ts] → secret-lines.ts, explain-schema-error.ts, to-value.ts
 */
import { VM_CONFIG } from "../../model/cloud-hypervisor/config-fields.ts";
import type { Field } from "../../model/cloud-hypervisor/field.ts";
import { nearest } from "../../model/nearest.ts";
import { DOCUMENT_SCHEMAS } from "./document-schemas.ts";
import { GATEWAY_SCHEMA } from "./gateway-schema.ts";

export interface SchemaNode {
  readonly [keyword: string]: unknown;
}

/** The schemas that may hold at one place. None: nobody knows what stands there. */
export type Nodes = readonly SchemaNode[];

let ownWords: ReadonlySet<string> | undefined;
let roots: Nodes | undefined;

/** Of documents of every kind at once: a line that is looked at may not say which it belongs to. */
export function rootNodes(): Nodes {
  roots ??= Object.entries(DOCUMENT_SCHEMAS)
    .filter(([name]) => name !== "common")
    .map(([, schema]) => withPlace(schema as SchemaNode, schema as SchemaNode));
  return roots;
}

/** Below a key of a map, also when it is nearly right. */
export function childNodes(nodes: Nodes, key: string): Nodes {
  const children = nodes.flatMap((node) => {
    if (key === "cloudHypervisor" && isObject(propertiesOf(node)[key])) return [passthrough()];
    const property = propertiesOf(node)[key] ?? objectIn(node.additionalProperties);
    return property === undefined ? [] : [resolve(property, node)];
  });
  if (children.length > 0) return children;
  const near = nearWord(nodes, key);
  return near === null || near === key ? [] : childNodes(nodes, near);
}

export const itemNodes = (nodes: Nodes): Nodes =>
  nodes.flatMap((node) => {
    const items = objectIn(node.items);
    return items === undefined ? [] : [resolve(items, node)];
  });

/** The key itself when the schema has it here, the one that was meant when it is nearly right; null: it may be anything. */
export function nearWord(nodes: Nodes, key: string): string | null {
  const words = nodes.flatMap((node) => Object.keys(propertiesOf(node)));
  return words.includes(key) ? key : nearOne(key, words);
}

export function isWordOfOurs(word: string): boolean {
  ownWords ??= new Set(wordsIn([...Object.values(DOCUMENT_SCHEMAS), GATEWAY_SCHEMA, passthrough()]));
  return ownWords.has(word);
}

/** Is the word one of ours, or nearly one? Only such words are quoted. */
export const isOwnWord = (word: string): boolean => isWordOfOurs(word) || nearOne(word, ownWords ?? []) !== null;

/** The longest word of ours has some 20 letters. */
const WORD_AT_MOST = 40;

/** Of very short words any is near to any, and says nothing. */
const nearOne = (word: string, words: Iterable<string>): string | null =>
  word.length > WORD_AT_MOST ? null : nearest(word, words);

/** `field "x"`, or just `field` when the word may be a secret. */
export const quoted = (noun: string, word: string, isKnown = isOwnWord(word)): string =>
  isKnown ? `${noun} ${JSON.stringify(word)}` : noun;

/** Whether a value that stands at this place, as written but without quotes, may be shown. */
export function isHarmless(nodes: Nodes, text: string): boolean {
  if (text === "" || nodes.length === 0 || text.length > 253) return text === "";
  if (nodes.every(isClosed) && (PLAIN.test(text) || QUANTITY.test(text))) return true;
  return nodes.some((node) => {
    if (isHash(node)) return false;
    if (PATH_OF_TEXT.test(text) && node.holdsSecrets === true) return true;
    if (Array.isArray(node.enum) || typeof node.const === "string") {
      const words = [node.const, ...((node.enum ?? []) as unknown[])].filter((each) => typeof each === "string");
      return words.includes(text) || nearOne(text, words) !== null;
    }
    if (node.title === "a public SSH key") return SSH_KEY_TYPE.test(text);
    if (typeof node.pattern !== "string" || !TAME.test(text)) return false;
    return (!isLoose(node) || !/[A-Z]/.test(text)) && new RegExp(node.pattern).test(text);
  });
}

const PLAIN = /^(true|false|yes|no|on|off|null|~|-?[0-9][0-9._]*)$/i;
/** Also those with a unit that we do not read. */
const QUANTITY = /^[0-9]+([.][0-9]+)? ?[A-Za-z]{1,3}$/;
const PATH_OF_TEXT = /^\.{1,2}\/[\w./-]+$/;
const SSH_KEY_TYPE = /^(ssh|ecdsa|sk)-[a-z0-9-]{1,20}$/;
/** Nothing that could begin a password or a query. */
const TAME = /^[\w./:[\]+-]*$/;

/** A pattern that nearly every word fits. */
const isLoose = ({ title }: SchemaNode): boolean =>
  title === "a firmware name or absolute path" || title === "an interface name of at most 15 characters";

/** Of a password: not the password, and near enough to it. */
const isHash = ({ title }: SchemaNode): boolean => title === "a hash as openssl passwd -6 prints it";

/** Has no room for a free text. */
const isClosed = (node: SchemaNode): boolean =>
  node.holdsSecrets !== true &&
  !isHash(node) &&
  (!typesOf(node).includes("string") || typeof node.pattern === "string" || node.enum !== undefined);

const typesOf = (node: SchemaNode): readonly unknown[] => [node.type ?? []].flat();

const isObject = (value: unknown): value is SchemaNode =>
  typeof value === "object" && value !== null && !Array.isArray(value);

const objectIn = (value: unknown): SchemaNode | undefined => (isObject(value) ? value : undefined);

const propertiesOf = (node: SchemaNode): Readonly<Record<string, SchemaNode>> =>
  (objectIn(node.properties) ?? {}) as Readonly<Record<string, SchemaNode>>;

/** References go by the schema they stand in, which is kept beside each node. */
function resolve(node: SchemaNode, around: SchemaNode): SchemaNode {
  const root = around[ROOT] as SchemaNode;
  if (typeof node.$ref !== "string") return withPlace(node, root);
  const [file = "", pointer = ""] = node.$ref.split("#");
  const target = file === "" ? root : (DOCUMENT_SCHEMAS[file.replace(/\.schema\.json$/, "")] as SchemaNode | undefined);
  let current: unknown = target;
  for (const part of pointer.split("/").slice(1)) current = objectIn(current)?.[part];
  const found = objectIn(current);
  return found === undefined || target === undefined ? {} : resolve(found, { [ROOT]: target });
}

const ROOT = "$root";

function withPlace(node: SchemaNode, root: SchemaNode): SchemaNode {
  const properties = propertiesOf(node);
  if (properties.userData === undefined) return { ...node, [ROOT]: root };
  const secret = (field: SchemaNode | undefined): SchemaNode => ({ ...field, holdsSecrets: true });
  const { userData, networkConfig, vendorData } = properties;
  const texts = { userData: secret(userData), networkConfig: secret(networkConfig), vendorData: secret(vendorData) };
  return {
    ...node,
    properties: { ...properties, ...texts },
    [ROOT]: root,
  };
}

let passthroughNode: SchemaNode | undefined;

/** Cloud Hypervisor's own words; what is a free text there may hold anything. */
function passthrough(): SchemaNode {
  passthroughNode ??= withPlace(toSchema(VM_CONFIG), {});
  return passthroughNode;
}

function toSchema(field: Field): SchemaNode {
  switch (field.type) {
    case "record":
      return {
        type: "object",
        properties: Object.fromEntries(Object.entries(field.fields).map(([key, each]) => [key, toSchema(each)])),
      };
    case "list":
      return { type: "array", items: toSchema(field.of) };
    case "text":
      return field.oneOf === undefined ? { type: "string" } : { enum: Object.keys(field.oneOf) };
    default:
      return { type: field.type };
  }
}

function wordsIn(value: unknown): string[] {
  if (Array.isArray(value)) return value.flatMap(wordsIn);
  if (!isObject(value)) return [];
  const own = Object.keys(objectIn(value.properties) ?? {});
  const words = [value.const, value.enum].flat().filter((each) => typeof each === "string");
  return [...own, ...words, ...Object.values(value).flatMap(wordsIn)];
}
