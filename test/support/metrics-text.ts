/** Prometheus's text format, as far as a test looks into it. */

/** `name{labels}` → value, in the order of the text. */
export function samplesOf(text: string): Map<string, number> {
  const lines = text.split("\n").filter((line) => line !== "" && !line.startsWith("#"));
  return new Map(
    lines.map((line) => [line.slice(0, line.lastIndexOf(" ")), Number(line.slice(line.lastIndexOf(" ") + 1))]),
  );
}

/** Names that a query may use: of histograms those with their endings, too. */
export function namesOf(text: string): Set<string> {
  const types = [...text.matchAll(/^# TYPE (\S+) (\S+)$/gm)].map(([, name = "", type = ""]) => ({ name, type }));
  return new Set(
    types.flatMap(({ name, type }) =>
      type === "histogram" ? [`${name}_bucket`, `${name}_sum`, `${name}_count`] : [name],
    ),
  );
}

/** Names of labels that some sample has. */
export const labelsOf = (text: string): Set<string> =>
  new Set([...text.matchAll(/[{,](\w+)="/g)].map(([, name = ""]) => name));
