/** QEMU's `name,key=value,…` options as text. The same properties go over QMP as JSON when a device is added to a running guest. */

export type Properties = Readonly<Record<string, string | number | boolean | readonly string[]>>;

/** Over QMP lists of texts are objects: StringList of qapi/common.json. */
export const asQmpArguments = (properties: Properties): Readonly<Record<string, unknown>> =>
  Object.fromEntries(
    Object.entries(properties).map(([key, value]) => [
      key,
      typeof value === "object" ? value.map((str) => ({ str })) : value,
    ]),
  );

/** In an option's value a comma is written twice; nothing else is special. */
const escapeValue = (text: string): string => text.replaceAll(",", ",,");

export function optionText(first: string, properties: Properties): string {
  const parts = [escapeValue(first)];
  for (const [key, value] of Object.entries(properties)) {
    if (typeof value === "object") {
      parts.push(...value.map((each) => `${key}=${escapeValue(each)}`));
      continue;
    }
    const text = typeof value === "boolean" ? (value ? "on" : "off") : escapeValue(String(value));
    parts.push(`${key}=${text}`);
  }
  return parts.join(",");
}
