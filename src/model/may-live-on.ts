/** What a placement says about one node, whoever else lives there. */
import type { DesiredNode, LabelExpression, LabelMatch, Placement } from "./desired-state.ts";

export type Labels = Readonly<Record<string, string>>;

/** Asked of each VM and each node: it makes nothing on its way. */
export function matches(labels: Labels, match: Labels): boolean {
  for (const key in match)
    if (Object.hasOwn(match, key) && (labels[key] !== match[key] || !Object.hasOwn(labels, key))) return false;
  return true;
}

/** Whether these are labels that a rule means. */
export function meets(labels: Labels, { match, expressions }: LabelMatch): boolean {
  return matches(labels, match) && (expressions === undefined || expressions.every((each) => holds(labels, each)));
}

function holds(labels: Labels, { key, operator, values }: LabelExpression): boolean {
  const value = Object.hasOwn(labels, key) ? labels[key] : undefined;
  switch (operator) {
    case "In":
      return value !== undefined && values.includes(value);
    case "NotIn":
      return value === undefined || !values.includes(value);
    case "Exists":
      return value !== undefined;
    case "DoesNotExist":
      return value === undefined;
    case "Gt":
      return isWhole(value) && isWhole(values[0]) && BigInt(value) > BigInt(values[0]);
    case "Lt":
      return isWhole(value) && isWhole(values[0]) && BigInt(value) < BigInt(values[0]);
  }
}

export const isWhole = (text: string | undefined): text is string => text !== undefined && /^-?[0-9]{1,30}$/.test(text);

export const mayLiveOn = (placement: Placement, node: DesiredNode): boolean =>
  (placement.nodes.length === 0 || placement.nodes.includes(node.name)) &&
  matches(node.labels, placement.selector) &&
  hasAffinityTo(placement, node);

/** Whether the rules about its node's labels that are required hold. */
export const hasAffinityTo = ({ nodeAffinity }: Pick<Placement, "nodeAffinity">, { labels }: DesiredNode): boolean =>
  nodeAffinity === undefined || nodeAffinity.every((rule) => !rule.required || meets(labels, rule));

/** How much the wishes about its node's labels like this node. */
export const likingOf = ({ nodeAffinity }: Pick<Placement, "nodeAffinity">, { labels }: DesiredNode): number =>
  nodeAffinity === undefined
    ? 0
    : nodeAffinity.reduce((sum, rule) => sum + (!rule.required && meets(labels, rule) ? (rule.weight ?? 1) : 0), 0);

/** `app=web,tier in (gold,silver),!old,cores>8` */
export function describeMatch({ match, expressions = [] }: LabelMatch): string {
  const pairs = Object.entries(match).map(([key, value]) => `${key}=${value}`);
  return [...pairs, ...expressions.map(describeExpression)].join(",");
}

function describeExpression({ key, operator, values }: LabelExpression): string {
  switch (operator) {
    case "In":
      return values.length === 1 ? `${key}=${values[0]}` : `${key} in (${values.join(",")})`;
    case "NotIn":
      return values.length === 1 ? `${key}!=${values[0]}` : `${key} not in (${values.join(",")})`;
    case "Exists":
      return key;
    case "DoesNotExist":
      return `!${key}`;
    case "Gt":
      return `${key}>${values[0]}`;
    case "Lt":
      return `${key}<${values[0]}`;
  }
}
