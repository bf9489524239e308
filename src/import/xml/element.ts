/** XML → a tree with places. Pure. No DTD is followed, so nothing grows in here and nothing is fetched. */
import { SaxesParser } from "saxes";

export interface Place {
  /** Count from 1. */
  readonly line: number;
  readonly column: number;
}

export interface XmlElement extends Place {
  readonly name: string;
  readonly attributes: Readonly<Record<string, string>>;
  readonly children: readonly XmlElement[];
  /** Its own text, without that of its children, trimmed. */
  readonly text: string;
}

export interface XmlProblem extends Place {
  readonly message: string;
}

/** Deeper than any domain is; the tree is walked by recursion. */
const DEEPEST = 64;

/** All elements that stand at the top: `virsh dumpxml` of several domains, one after another, is read as well. */
export function parseXml(text: string): readonly XmlElement[] | XmlProblem {
  // Each dump begins with a declaration of its own, perhaps; as a fragment there may be none.
  const body = text.replace(/^\uFEFF/, "").replaceAll(/<\?xml[^>]*\?>/g, (found) => found.replaceAll(/[^\n]/g, " "));
  const placeOf = placesIn(body);
  const parser = new SaxesParser({ fragment: true, position: true });
  const top: XmlElement[] = [];
  const open: Open[] = [];
  let start: Place = { line: 1, column: 1 };
  let problem: XmlProblem | null = null;
  const here = (): Place => ({ line: parser.line, column: parser.column + 1 });
  const refuse = (message: string) => {
    problem ??= { ...here(), message };
  };
  // "1:5: unclosed tag": the place is told beside it.
  parser.on("error", ({ message }) => refuse(message.replace(/^(\d+:)+\s*/, "")));
  parser.on("opentagstart", () => {
    // The parser stands behind the name and what ended it, perhaps on another line.
    start = placeOf(body.lastIndexOf("<", parser.position - 2));
  });
  parser.on("opentag", ({ name, attributes }) => {
    if (open.length >= DEEPEST) refuse(`it is nested more than ${DEEPEST} deep`);
    open.push({ name, attributes: attributes as Record<string, string>, children: [], text: "", ...start });
  });
  const add = (more: string) => {
    const last = open.at(-1);
    if (last !== undefined) last.text += more;
    else if (more.trim() !== "") refuse("there is text outside of every element");
  };
  parser.on("text", add);
  parser.on("cdata", add);
  parser.on("closetag", () => {
    const element = open.pop();
    if (element === undefined) return;
    element.text = element.text.trim();
    (open.at(-1)?.children ?? top).push(element);
  });
  for (let at = 0; at < body.length && problem === null; at += CHUNK) parser.write(body.slice(at, at + CHUNK));
  if (problem === null) parser.close();
  return problem ?? top;
}

/** Offset → place, of offsets that only grow: one pass over the text, however many are asked for. */
function placesIn(text: string): (offset: number) => Place {
  let line = 1;
  let lineStart = 0;
  return (offset) => {
    for (let end = text.indexOf("\n", lineStart); end >= 0 && end < offset; end = text.indexOf("\n", lineStart)) {
      line += 1;
      lineStart = end + 1;
    }
    return { line, column: offset - lineStart + 1 };
  };
}

/** A problem ends the reading after at most so much more. */
const CHUNK = 65_536;

interface Open extends Place {
  readonly name: string;
  readonly attributes: Readonly<Record<string, string>>;
  readonly children: XmlElement[];
  text: string;
}
