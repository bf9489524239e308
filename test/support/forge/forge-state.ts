/** What a stand-in of a forge knows, the same for all kinds. */

export interface ToldStatus {
  readonly commit: string;
  readonly context: string;
  /** In the forge's own word. */
  readonly state: string;
  readonly line: string;
  readonly link: string | null;
}

export interface ForgeComment {
  readonly id: number;
  readonly author: string;
  body: string;
}

export interface ForgePull {
  readonly number: number;
  readonly branch: string;
  commit: string;
  readonly base: string;
  /** `owner/name` of the fork; null: it is of this repository. */
  readonly fork: string | null;
}

export interface ForgeState {
  readonly repository: string;
  readonly token: string;
  /** Whose the token is. */
  readonly user: string;
  readonly statuses: ToldStatus[];
  readonly pulls: Map<number, ForgePull>;
  readonly comments: Map<number, ForgeComment[]>;
  readonly isKnown: (commit: string) => boolean;
  nextId: number;
}

export interface Asked {
  readonly method: string;
  readonly path: string;
  readonly query: URLSearchParams;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  /** Undefined: none was sent. */
  readonly body: unknown;
}

export interface Answered {
  readonly status: number;
  readonly json: unknown;
  readonly headers?: Readonly<Record<string, string>>;
}

/** What a forge answers itself, thrown from wherever it is found. */
export class ForgeSays extends Error {
  readonly answer: Answered;
  constructor(status: number, json: unknown) {
    super(`${status} ${JSON.stringify(json)}`);
    this.answer = { status, json };
  }
}

/** The fields of a JSON object, each checked: of the wrong kind, missing where required, or not known at all. */
export function fieldsOf(
  body: unknown,
  kinds: Readonly<Record<string, "string" | "string?" | "object">>,
  refuse: (why: string) => never,
): Readonly<Record<string, string>> {
  if (typeof body !== "object" || body === null || Array.isArray(body)) return refuse("body is no object");
  for (const key of Object.keys(body)) if (kinds[key] === undefined) refuse(`${key} is not a field`);
  for (const [key, kind] of Object.entries(kinds)) {
    const value = (body as Record<string, unknown>)[key];
    if (value === undefined && kind === "string?") continue;
    const wanted = kind === "object" ? "object" : "string";
    if (typeof value !== wanted || value === null) refuse(`${key} is no ${wanted}`);
  }
  return body as Record<string, string>;
}

export function pageOf<Item>(
  all: readonly Item[],
  query: URLSearchParams,
  sizeName: string,
  most: number,
): readonly Item[] {
  const size = Math.min(most, Number(query.get(sizeName) ?? 30));
  const page = Number(query.get("page") ?? 1);
  return all.slice((page - 1) * size, page * size);
}
