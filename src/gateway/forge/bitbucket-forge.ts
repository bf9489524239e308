/**
 * Bitbucket Cloud. https://developer.atlassian.com/cloud/bitbucket/rest/ Keys of statuses have 40 characters, a link is required,
 * commits of pull requests are the first twelve digits, and no ref of the repository names the head of a fork.
 */
import { createHash } from "node:crypto";
import { Json } from "../hooks/hook-payload.ts";
import { type CommitStatus, FORGE_LIMITS, type Forge, type OpenPullRequest, type StatusState } from "./forge.ts";
import { type ForgeHttp, statusOf } from "./forge-http.ts";
import { putOwnComment, type SeenComment } from "./own-comment.ts";
import { shorten } from "./shorten.ts";

const STATES: Readonly<Record<StatusState, string>> = {
  pending: "INPROGRESS",
  success: "SUCCESSFUL",
  failure: "FAILED",
  error: "FAILED",
  neutral: "STOPPED",
};

export class BitbucketForge implements Forge {
  readonly kind = "bitbucket";
  readonly limits = FORGE_LIMITS.bitbucket;
  readonly #http: ForgeHttp;
  readonly #place: string;
  readonly #repository: string;

  constructor(http: ForgeHttp, repository: string) {
    this.#http = http;
    this.#repository = repository;
    this.#place = `/repositories/${repository.split("/").map(encodeURIComponent).join("/")}`;
  }

  get name(): string {
    return this.#http.name;
  }

  async setStatus({ commit, context, state, line, link }: CommitStatus, signal: AbortSignal): Promise<void> {
    const body = {
      key: keyOf(context, this.limits.context),
      state: STATES[state],
      name: context,
      description: shorten(line, this.limits.line),
      url: link ?? `https://bitbucket.org/${this.#repository}/commits/${commit}`,
    };
    await this.#http.ask({ method: "POST", path: `${this.#place}/commit/${commit}/statuses/build`, body }, signal);
  }

  async putComment(number: number, marker: string, markdown: string, signal: AbortSignal): Promise<string | null> {
    const [http, path] = [this.#http, `${this.#place}/pullrequests/${number}/comments`];
    const api = {
      ownName: (within: AbortSignal) => this.#ownName(within),
      list: async (within: AbortSignal) => (await this.#values(path, 100, within)).flatMap(toComment),
      change: async (id: string, raw: string, within: AbortSignal) => {
        const question = { method: "PUT", path: `${path}/${id}`, body: { content: { raw } } } as const;
        return linkOf(new Json((await http.ask(question, within)).json));
      },
      make: async (raw: string, within: AbortSignal) => {
        const question = { method: "POST", path, body: { content: { raw } } } as const;
        return linkOf(new Json((await http.ask(question, within)).json));
      },
    };
    return await putOwnComment(api, marker, markdown, signal);
  }

  async pullRequests(base: string, signal: AbortSignal): Promise<readonly OpenPullRequest[]> {
    const all = await this.#values(`${this.#place}/pullrequests?state=OPEN`, 50, signal);
    return all.flatMap((pull): OpenPullRequest[] => {
      const [number, commit] = [pull.get("id").number, pull.get("source", "commit", "hash").text];
      if (number === undefined || commit === undefined) return [];
      if (pull.get("destination", "branch", "name").text !== base) return [];
      const from = pull.get("source", "repository", "full_name").text;
      const isFork = from?.toLowerCase() !== this.#repository.toLowerCase();
      const branch = pull.get("source", "branch", "name").text ?? "";
      const ref = isFork || branch === "" ? null : `refs/heads/${branch}`;
      return [{ number, head: { ref, branch, commit }, base: { ref: base }, isFork }];
    });
  }

  async whoAmI(signal: AbortSignal): Promise<string | null> {
    await this.#http.ask({ method: "GET", path: this.#place }, signal);
    return await this.#ownName(signal);
  }

  /** By number of page, not by the link that the answer names: a token goes nowhere that somebody else says. */
  async #values(path: string, count: number, signal: AbortSignal): Promise<readonly Json[]> {
    const all: Json[] = [];
    for (let page = 1; page <= MOST_PAGES; page++) {
      const query = `${path}${path.includes("?") ? "&" : "?"}pagelen=${count}&page=${page}`;
      const json = new Json((await this.#http.ask({ method: "GET", path: query }, signal)).json);
      all.push(...json.get("values").list);
      if (json.get("next").text === undefined) break;
    }
    return all;
  }

  /** Tokens of a repository are nobody's. */
  async #ownName(signal: AbortSignal): Promise<string | null> {
    try {
      return new Json((await this.#http.ask({ method: "GET", path: "/user" }, signal)).json).get("uuid").text ?? null;
    } catch (error) {
      const status = statusOf(error);
      if (status === 403 || status === 404 || status === 401) return null;
      throw error;
    }
  }
}

const MOST_PAGES = 50;

/** Different ones stay different. */
function keyOf(context: string, most: number): string {
  if (context.length <= most) return context;
  const end = createHash("sha256").update(context).digest("hex").slice(0, 8);
  return `${context.slice(0, most - 9)}-${end}`;
}

function toComment(comment: Json): SeenComment[] {
  const id = comment.get("id").number;
  if (id === undefined || comment.get("deleted").isTrue) return [];
  const text = comment.get("content", "raw").text ?? "";
  return [{ id: String(id), text, author: comment.get("user", "uuid").text ?? null, link: linkOf(comment) }];
}

const linkOf = (comment: Json): string | null => comment.get("links", "html", "href").text ?? null;
