/** GitHub, Gitea and Forgejo: what they check and answer. */
import {
  type Answered,
  type Asked,
  type ForgeComment,
  ForgeSays,
  type ForgeState,
  fieldsOf,
  pageOf,
} from "./forge-state.ts";

export type GitHubLike = "github" | "gitea" | "forgejo";

export function answerGitHub(kind: GitHubLike, state: ForgeState, asked: Asked): Answered {
  const base = kind === "github" ? "/api/v3" : "/api/v1";
  const { authorization } = asked.headers;
  const accepted =
    kind === "github"
      ? [`Bearer ${state.token}`, `token ${state.token}`]
      : [`token ${state.token}`, `Bearer ${state.token}`];
  if (typeof authorization !== "string" || !accepted.includes(authorization))
    throw new ForgeSays(401, { message: kind === "github" ? "Bad credentials" : "token is required" });
  if (kind === "github" && asked.headers["user-agent"] === undefined)
    throw new ForgeSays(403, { message: "Request forbidden by administrative rules" });
  if (!asked.path.startsWith(`${base}/`)) throw new ForgeSays(404, { message: "Not Found" });
  const path = asked.path.slice(base.length);
  if (path === "/user" && asked.method === "GET") return ok({ id: 1, login: state.user });
  const repository = `/repos/${state.repository}`;
  if (!path.startsWith(repository)) throw notFound();
  return route(kind, state, asked, path.slice(repository.length));
}

const ok = (json: unknown): Answered => ({ status: 200, json });
const made = (json: unknown): Answered => ({ status: 201, json });
const notFound = () => new ForgeSays(404, { message: "Not Found" });
const unfit =
  (kind: GitHubLike) =>
  (why: string): never => {
    throw new ForgeSays(422, { message: kind === "github" ? "Validation Failed" : why, errors: [why] });
  };

function route(kind: GitHubLike, state: ForgeState, asked: Asked, path: string): Answered {
  const { method, query } = asked;
  if (path === "" && method === "GET") return ok({ full_name: state.repository });
  const status = /^\/statuses\/([^/]+)$/.exec(path)?.[1];
  if (status !== undefined && method === "POST") return setStatus(kind, state, asked, status);
  if (path === "/pulls" && method === "GET") {
    if (query.get("state") !== "open") throw new Error("the stand-in knows open ones only");
    const all = [...state.pulls.values()].map((pull) => ({
      number: pull.number,
      state: "open",
      head: {
        ref: pull.branch,
        sha: pull.commit,
        repo: { full_name: pull.fork ?? state.repository },
      },
      base: { ref: pull.base, repo: { full_name: state.repository } },
    }));
    return ok(kind === "github" ? pageOf(all, query, "per_page", 100) : pageOf(all, query, "limit", 50));
  }
  const issue = Number(/^\/issues\/(\d+)\/comments$/.exec(path)?.[1]);
  if (issue > 0) return commentsOf(kind, state, asked, issue);
  const id = Number(/^\/issues\/comments\/(\d+)$/.exec(path)?.[1]);
  if (id > 0 && method === "PATCH") {
    const comment = [...state.comments.values()].flat().find((each) => each.id === id);
    if (comment === undefined) throw notFound();
    if (comment.author !== state.user) throw new ForgeSays(403, { message: "Forbidden" });
    comment.body = bodyOf(kind, asked);
    return ok(show(state, comment));
  }
  throw notFound();
}

const STATES: Readonly<Record<GitHubLike, readonly string[]>> = {
  github: ["error", "failure", "pending", "success"],
  gitea: ["pending", "success", "error", "failure", "warning", "skipped"],
  forgejo: ["pending", "success", "error", "failure", "warning", "skipped"],
};

function setStatus(kind: GitHubLike, state: ForgeState, { body }: Asked, commit: string): Answered {
  const refuse = unfit(kind);
  const kinds = { state: "string", context: "string?", description: "string?", target_url: "string?" } as const;
  const { state: word = "", context = "default", description = "", target_url } = fieldsOf(body, kinds, refuse);
  if (!STATES[kind].includes(word)) refuse(`state ${word} is not in the list`);
  if (kind === "github" && Array.from(description).length > 140)
    refuse("description is too long (maximum is 140 characters)");
  if (Array.from(context).length > 255) refuse("context is too long (maximum is 255 characters)");
  if (target_url !== undefined && !/^https?:\/\//.test(target_url)) refuse("target_url must use http(s) scheme");
  if (!/^[0-9a-f]{40}$/.test(commit) || !state.isKnown(commit)) {
    if (kind === "github") refuse(`No commit found for SHA: ${commit}`);
    // So says Gitea 1.26 of a commit that it does not know.
    throw new ForgeSays(500, { message: "", url: "/api/swagger" });
  }
  const same = state.statuses.filter((each) => each.commit === commit && each.context === context);
  if (kind === "github" && same.length >= 1_000)
    refuse("This SHA and context has reached the maximum number of statuses.");
  state.statuses.push({ commit, context, state: word, line: description, link: target_url ?? null });
  return made({ id: state.nextId++, context, description, [kind === "github" ? "state" : "status"]: word });
}

function commentsOf(kind: GitHubLike, state: ForgeState, asked: Asked, issue: number): Answered {
  const comments = state.comments.get(issue);
  if (comments === undefined) throw notFound();
  if (asked.method === "GET") {
    const all = comments.map((each) => show(state, each));
    // Gitea and Forgejo give all of them, whatever page is asked for.
    return ok(kind === "github" ? pageOf(all, asked.query, "per_page", 100) : all);
  }
  if (asked.method !== "POST") throw notFound();
  const comment = { id: state.nextId++, author: state.user, body: bodyOf(kind, asked) };
  comments.push(comment);
  return made(show(state, comment));
}

function bodyOf(kind: GitHubLike, { body }: Asked): string {
  const refuse = unfit(kind);
  const { body: text = "" } = fieldsOf(body, { body: "string" }, refuse);
  if (text.trim() === "") refuse("body can't be blank");
  if (kind === "github" && text.length > 65_536) refuse("body is too long (maximum is 65536 characters)");
  return text;
}

const show = (state: ForgeState, { id, author, body }: ForgeComment) => ({
  id,
  body,
  user: { login: author },
  html_url: `https://forge.example.net/${state.repository}/pulls#comment-${id}`,
});
