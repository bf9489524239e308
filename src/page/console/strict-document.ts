/**
 * xterm.js writes its colours into style elements and attributes, which our Content-Security-Policy forbids: text that becomes style
 * is how an injected name would hide a button. It may be given a document of its own; here is one whose style elements are constructed
 * style sheets, and whose style attributes are set by property. Both are the page's own doing, and the policy allows them.
 */
export function documentWithoutInlineStyles(): Document {
  return new Proxy(document, {
    get(target, key) {
      if (key === "createElement") return (name: string) => createElement(target, name);
      const value: unknown = Reflect.get(target, key, target);
      return typeof value === "function" ? value.bind(target) : value;
    },
    set: (target, key, value) => Reflect.set(target, key, value, target),
  });
}

function createElement(target: Document, name: string): HTMLElement {
  const element = target.createElement(name);
  if (name === "style") return asSheet(element, target);
  if (name === "span") setStyleByProperty(element);
  return element;
}

function asSheet(element: HTMLElement, target: Document): HTMLElement {
  const sheet = new CSSStyleSheet();
  target.adoptedStyleSheets = [...target.adoptedStyleSheets, sheet];
  Object.defineProperty(element, "textContent", {
    get: () => "",
    set: (text: string) => sheet.replaceSync(text),
  });
  const remove = element.remove.bind(element);
  element.remove = () => {
    target.adoptedStyleSheets = target.adoptedStyleSheets.filter((each) => each !== sheet);
    remove();
  };
  return element;
}

function setStyleByProperty(element: HTMLElement): void {
  const set = element.setAttribute.bind(element);
  element.setAttribute = (name, value) => {
    if (name === "style") element.style.cssText = value;
    else set(name, value);
  };
}
