/** https://docs.gitlab.com/api/commits/#set-commit-pipeline-status, /api/notes/#merge-requests, /api/merge_requests/ */
import { Json } from "../hooks/hook-payload.ts";
import { type CommitStatus, FORGE_LIMITS, type Forge, type OpenPullRequest, type StatusState } from "./forge.ts";
import { type ForgeHttp, statusOf } from "./forge-http.ts";
import { putOwnComment } from "./own-comment.ts";
import { shorten } from "./shorten.ts";

const STATES: Readonly<Record<StatusState, string>> = {
  pending: "running",
  success: "success",
  failure: "failed",
  error: "failed",
  neutral: "canceled",
};

/** Longer ones are refused. */
const LONGEST_LINK = 255;

export class GitLabForge implements Forge {
  readonly kind = "gitlab";
  readonly limits = FORGE_LIMITS.gitlab;
  readonly #http: ForgeHttp;
  readonly #place: string;

  constructor(http: ForgeHttp, repository: string) {
    this.#http = http;
    this.#place = `/projects/${encodeURIComponent(repository)}`;
  }

  get name(): string {
    return this.#http.name;
  }

  /**
   * Statuses are jobs there, which go forward only: what runs cannot begin to run again with other words. So it is ended first, and
   * the new one stands in its place.
   */
  async setStatus(status: CommitStatus, signal: AbortSignal): Promise<void> {
    const state = STATES[status.state];
    if (await this.#post(status, state, signal)) return;
    await this.#post(status, "canceled", signal);
    await this.#post(status, state, signal);
  }

  /** False: it may not become that from what it is. */
  async #post({ commit, context, line, link }: CommitStatus, state: string, signal: AbortSignal): Promise<boolean> {
    const body = {
      state,
      name: shorten(context, this.limits.context),
      description: shorten(line, this.limits.line),
      ...(link === null || link.length > LONGEST_LINK ? {} : { target_url: link }),
    };
    const path = `${this.#place}/statuses/${commit}`;
    try {
      await this.#http.ask({ method: "POST", path, body }, signal);
      return true;
    } catch (error) {
      if (statusOf(error) === 400 && /cannot transition status/i.test(String(error))) return false;
      throw error;
    }
  }

  async putComment(number: number, marker: string, markdown: string, signal: AbortSignal): Promise<string | null> {
    const [http, path] = [this.#http, `${this.#place}/merge_requests/${number}/notes`];
    const api = {
      ownName: (within: AbortSignal) => this.#ownName(within),
      list: async (within: AbortSignal) => {
        const notes = await http.askAll(`${path}?sort=asc&order_by=created_at`, "per_page", 100, within);
        return notes.map((each) => {
          const note = new Json(each);
          const id = String(note.get("id").number ?? "");
          const [text, author] = [note.get("body").text ?? "", note.get("author", "username").text ?? null];
          return { id, text, author, link: null };
        });
      },
      change: async (id: string, body: string, within: AbortSignal) => {
        await http.ask({ method: "PUT", path: `${path}/${id}`, body: { body } }, within);
        return null;
      },
      make: async (body: string, within: AbortSignal) => {
        await http.ask({ method: "POST", path, body: { body } }, within);
        return null;
      },
    };
    return await putOwnComment(api, marker, markdown, signal);
  }

  async pullRequests(base: string, signal: AbortSignal): Promise<readonly OpenPullRequest[]> {
    const query = `?state=opened&target_branch=${encodeURIComponent(base)}`;
    const all = await this.#http.askAll(`${this.#place}/merge_requests${query}`, "per_page", 100, signal);
    return all.flatMap((each): OpenPullRequest[] => {
      const request = new Json(each);
      const [number, commit] = [request.get("iid").number, request.get("sha").text];
      if (number === undefined || commit === undefined || request.get("target_branch").text !== base) return [];
      const [from, to] = [request.get("source_project_id").number, request.get("target_project_id").number];
      const branch = request.get("source_branch").text ?? "";
      const head = { ref: `refs/merge-requests/${number}/head`, branch, commit };
      return [{ number, head, base: { ref: base }, isFork: from === undefined || from !== to }];
    });
  }

  async whoAmI(signal: AbortSignal): Promise<string | null> {
    await this.#http.ask({ method: "GET", path: this.#place }, signal);
    return await this.#ownName(signal);
  }

  async #ownName(signal: AbortSignal): Promise<string | null> {
    const { json } = await this.#http.ask({ method: "GET", path: "/user" }, signal);
    return new Json(json).get("username").text ?? null;
  }
}
