/**
 * Reads a tree and remembers what was read: whatever is left over at the end was understood by nobody, and is told. That is how nothing
 * is dropped in silence, also what comes with a later libvirt.
 */
import type { XmlElement } from "./element.ts";

export class XmlReader {
  readonly #read = new Set<XmlElement>();
  readonly #attributes = new Map<XmlElement, Set<string>>();

  child(of: XmlElement, name: string): XmlElement | undefined {
    return this.all(of, name)[0];
  }

  /** Of several with one name, those behind the first are left for `leftovers` when only the first was asked for. */
  all(of: XmlElement, name: string): readonly XmlElement[] {
    return of.children.filter((each) => each.name === name);
  }

  /** Its text, and it counts as read. */
  text(of: XmlElement, ...path: readonly string[]): string | undefined {
    let at: XmlElement | undefined = of;
    for (const name of path) at = at === undefined ? undefined : this.child(at, name);
    if (at === undefined) return undefined;
    this.take(at);
    return at.text;
  }

  attribute(of: XmlElement | undefined, name: string): string | undefined {
    if (of === undefined) return undefined;
    this.take(of);
    let names = this.#attributes.get(of);
    if (names === undefined) {
      names = new Set();
      this.#attributes.set(of, names);
    }
    names.add(name);
    return of.attributes[name];
  }

  /** The element itself is understood; its attributes and children are not yet. */
  take(element: XmlElement): void {
    this.#read.add(element);
  }

  /** With all that is in it. */
  takeWhole(element: XmlElement): void {
    this.take(element);
    this.#attributes.set(element, new Set(Object.keys(element.attributes)));
    for (const child of element.children) this.takeWhole(child);
  }

  /** What was not read, from the top down: of an element that nobody read only itself, of one that was its attributes and children. */
  leftovers(root: XmlElement): readonly Leftover[] {
    const found: Leftover[] = [];
    const visit = (element: XmlElement, path: string) => {
      if (!this.#read.has(element) && !element.children.some((child) => this.#isTouched(child))) {
        found.push({ path, element, attribute: null });
        return;
      }
      for (const attribute of Object.keys(element.attributes))
        if (this.#attributes.get(element)?.has(attribute) !== true)
          found.push({ path: `${path}@${attribute}`, element, attribute });
      for (const child of element.children) visit(child, `${path}/${child.name}`);
    };
    visit(root, root.name);
    return found;
  }

  #isTouched(element: XmlElement): boolean {
    return this.#read.has(element) || element.children.some((child) => this.#isTouched(child));
  }
}

export interface Leftover {
  /** `domain/devices/disk`, `domain/devices/disk/driver@cache`. */
  readonly path: string;
  readonly element: XmlElement;
  readonly attribute: string | null;
}
