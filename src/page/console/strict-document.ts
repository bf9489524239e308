/**
 * xterm.js writes its colours into style elements and attributes, which our Content-Security-Policy forbids: text that becomes style
 * is how an injected name would hide a button. It may be given a document of its own; here is one that gives out stand-ins of style elements,
 * whose text becomes a constructed style sheet, and sets style attributes by property. Both are the page's own doing, and the policy allows them.
 */
export function openStrictly(open: (strict: Document) => void): void {
  // Its viewport asks the window's document all the same, while it opens (xterm.js 6.0).
  document.createElement = (name: string) => createElement(name);
  try {
    open(strictDocument());
  } finally {
    Reflect.deleteProperty(document, "createElement");
  }
}

const strictDocument = (): Document =>
  new Proxy(document, {
    get(target, key) {
      if (key === "createElement") return createElement;
      const value: unknown = Reflect.get(target, key, target);
      return typeof value === "function" ? value.bind(target) : value;
    },
    set: (target, key, value) => Reflect.set(target, key, value, target),
  });

const plain = (name: string): HTMLElement => Document.prototype.createElement.call(document, name);

function createElement(name: string): HTMLElement {
  if (name === "style") return asSheet(plain("template"));
  const element = plain(name);
  if (name === "span") setStyleByProperty(element);
  return element;
}

function asSheet(element: HTMLElement): HTMLElement {
  const sheet = new CSSStyleSheet();
  document.adoptedStyleSheets = [...document.adoptedStyleSheets, sheet];
  Object.defineProperty(element, "textContent", {
    get: () => "",
    set: (text: string) => sheet.replaceSync(text),
  });
  const remove = element.remove.bind(element);
  element.remove = () => {
    document.adoptedStyleSheets = document.adoptedStyleSheets.filter((each) => each !== sheet);
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
