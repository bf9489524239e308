/**
 * GitHub, and Gitea and Forgejo, whose API is nearly the same. https://docs.github.com/en/rest and https://docs.gitea.com/api/
 */
import { Json } from "../hooks/hook-payload.ts";
import {
  type ApiKind,
  type CommitStatus,
  FORGE_LIMITS,
  type Forge,
  type OpenPullRequest,
  type StatusState,
} from "./forge.ts";
import { type ForgeHttp, statusOf } from "./forge-http.ts";
import { type CommentApi, putOwnComment } from "./own-comment.ts";
import { shorten } from "./shorten.ts";

const STATES: Readonly<Record<StatusState, string>> = {
  pending: "pending",
  success: "success",
  failure: "failure",
  error: "error",
  neutral: "success",
};

export class GitHubForge implements Forge {
  readonly kind: ApiKind;
  readonly limits: Forge["limits"];
  readonly #http: ForgeHttp;
  readonly #place: string;
  readonly #repository: string;

  constructor(kind: "github" | "gitea" | "forgejo", http: ForgeHttp, repository: string) {
    this.kind = kind;
    this.limits = FORGE_LIMITS[kind];
    this.#http = http;
    this.#repository = repository;
    this.#place = `/repos/${repository.split("/").map(encodeURIComponent).join("/")}`;
  }

  get name(): string {
    return this.#http.name;
  }

  async setStatus({ commit, context, state, line, link }: CommitStatus, signal: AbortSignal): Promise<void> {
    const body = {
      state: STATES[state],
      context: shorten(context, this.limits.context),
      description: shorten(line, this.limits.line),
      ...(link === null ? {} : { target_url: link }),
    };
    await this.#http.ask({ method: "POST", path: `${this.#place}/statuses/${commit}`, body }, signal);
  }

  async putComment(number: number, marker: string, markdown: string, signal: AbortSignal): Promise<string | null> {
    return await putOwnComment(this.#comments(number), marker, markdown, signal);
  }

  #comments(number: number): CommentApi {
    const [http, path] = [this.#http, `${this.#place}/issues/${number}/comments`];
    return {
      ownName: (signal) => this.#ownName(signal),
      list: async (signal) => {
        // Gitea and Forgejo give all at once and would give all again for a second page.
        const all =
          this.kind === "github"
            ? await http.askAll(path, "per_page", 100, signal)
            : new Json((await http.ask({ method: "GET", path }, signal)).json).list;
        return all.map((each) => {
          const comment = each instanceof Json ? each : new Json(each);
          return {
            id: String(comment.get("id").number ?? ""),
            text: comment.get("body").text ?? "",
            author: comment.get("user", "login").text ?? null,
            link: comment.get("html_url").text ?? null,
          };
        });
      },
      change: async (id, body, signal) => {
        const at = `${this.#place}/issues/comments/${id}`;
        return linkOf((await http.ask({ method: "PATCH", path: at, body: { body } }, signal)).json);
      },
      make: async (body, signal) => linkOf((await http.ask({ method: "POST", path, body: { body } }, signal)).json),
    };
  }

  async pullRequests(base: string, signal: AbortSignal): Promise<readonly OpenPullRequest[]> {
    const [perPage, count] = this.kind === "github" ? (["per_page", 100] as const) : (["limit", 50] as const);
    const all = await this.#http.askAll(`${this.#place}/pulls?state=open`, perPage, count, signal);
    return all.flatMap((each): OpenPullRequest[] => {
      const pull = new Json(each);
      const [number, commit] = [pull.get("number").number, pull.get("head", "sha").text];
      if (number === undefined || commit === undefined || pull.get("base", "ref").text !== base) return [];
      const from = pull.get("head", "repo", "full_name").text;
      return [
        {
          number,
          head: { ref: `refs/pull/${number}/head`, branch: pull.get("head", "ref").text ?? "", commit },
          base: { ref: base },
          // A fork that was deleted is none that anybody answers for.
          isFork: from?.toLowerCase() !== this.#repository.toLowerCase(),
        },
      ];
    });
  }

  async whoAmI(signal: AbortSignal): Promise<string | null> {
    await this.#http.ask({ method: "GET", path: this.#place }, signal);
    return await this.#ownName(signal);
  }

  /** Tokens of apps are refused this. */
  async #ownName(signal: AbortSignal): Promise<string | null> {
    try {
      const { json } = await this.#http.ask({ method: "GET", path: "/user" }, signal);
      return new Json(json).get("login").text ?? null;
    } catch (error) {
      if (statusOf(error) === 403 || statusOf(error) === 404) return null;
      throw error;
    }
  }
}

const linkOf = (json: unknown): string | null => new Json(json).get("html_url").text ?? null;
