/** GitLab: projects by their whole path, statuses that are jobs, notes. */
import { type Answered, type Asked, ForgeSays, type ForgeState, fieldsOf, pageOf } from "./forge-state.ts";

const ok = (json: unknown): Answered => ({ status: 200, json });
const made = (json: unknown): Answered => ({ status: 201, json });
const notFound = (what: string) => new ForgeSays(404, { message: `404 ${what} Not Found` });
const bad = (why: string): never => {
  throw new ForgeSays(400, { error: why });
};

export function answerGitLab(state: ForgeState, asked: Asked): Answered {
  const { "private-token": token, authorization } = asked.headers;
  if (token !== state.token && authorization !== `Bearer ${state.token}`)
    throw new ForgeSays(401, { message: "401 Unauthorized" });
  if (!asked.path.startsWith("/api/v4/")) throw notFound("Page");
  const path = asked.path.slice("/api/v4".length);
  if (path === "/user" && asked.method === "GET") return ok({ id: 1, username: state.user });
  const project = `/projects/${encodeURIComponent(state.repository)}`;
  if (!path.startsWith(project)) throw notFound("Project");
  const rest = path.slice(project.length);
  if (rest === "" && asked.method === "GET") return ok({ id: 1, path_with_namespace: state.repository });
  const commit = /^\/statuses\/([^/]+)$/.exec(rest)?.[1];
  if (commit !== undefined && asked.method === "POST") return setStatus(state, asked, commit);
  if (rest === "/merge_requests" && asked.method === "GET")
    return ok(pageOf(mergeRequests(state, asked.query), asked.query, "per_page", 100));
  const [, iid, id] = /^\/merge_requests\/(\d+)\/notes(?:\/(\d+))?$/.exec(rest) ?? [];
  if (iid !== undefined) return notes(state, asked, Number(iid), id === undefined ? null : Number(id));
  throw notFound("Page");
}

const RUNNING = ["pending", "running"];

function setStatus(state: ForgeState, { body }: Asked, commit: string): Answered {
  const kinds = {
    state: "string",
    name: "string?",
    context: "string?",
    description: "string?",
    target_url: "string?",
    ref: "string?",
  } as const;
  const said = fieldsOf(body, kinds, bad);
  const { state: word = "", description = "", target_url } = said;
  const name = said.name ?? said.context ?? "default";
  if (!["pending", "running", "success", "failed", "canceled", "skipped"].includes(word))
    bad("state does not have a valid value");
  if (name.length > 255) bad("name is too long (maximum is 255 characters)");
  if (description.length > 255) bad("description is too long (maximum is 255 characters)");
  if ((target_url?.length ?? 0) > 255) bad("target_url is too long (maximum is 255 characters)");
  if (!/^[0-9a-f]{40}$/.test(commit) || !state.isKnown(commit)) throw notFound("Commit");
  const latest = state.statuses.findLast((each) => each.commit === commit && each.context === name);
  const isOpen = latest !== undefined && RUNNING.includes(latest.state);
  if (isOpen && (word === latest.state || word === "pending"))
    throw new ForgeSays(400, {
      message: `Cannot transition status via :run from :${latest.state} (Reason(s): Status cannot transition via "run")`,
    });
  state.statuses.push({ commit, context: name, state: word, line: description, link: target_url ?? null });
  return made({ id: state.nextId++, sha: commit, name, status: word, description });
}

const mergeRequests = (state: ForgeState, query: URLSearchParams) =>
  [...state.pulls.values()]
    .filter(({ base }) => query.get("target_branch") === null || query.get("target_branch") === base)
    .map((pull) => ({
      id: 9_000 + pull.number,
      iid: pull.number,
      state: "opened",
      sha: pull.commit,
      source_branch: pull.branch,
      target_branch: pull.base,
      source_project_id: pull.fork === null ? 1 : 2,
      target_project_id: 1,
    }));

function notes(state: ForgeState, asked: Asked, iid: number, id: number | null): Answered {
  const comments = state.comments.get(iid);
  if (comments === undefined) throw notFound("Not found");
  const show = (each: (typeof comments)[number]) => ({
    id: each.id,
    body: each.body,
    author: { username: each.author },
    system: false,
  });
  if (asked.method === "GET" && id === null) return ok(pageOf(comments.map(show), asked.query, "per_page", 100));
  const body = () => {
    const text = fieldsOf(asked.body, { body: "string" }, bad).body ?? "";
    if (text.trim() === "") bad("body is empty");
    if (Buffer.byteLength(text) > 1_000_000) bad("note is too long");
    return text;
  };
  if (asked.method === "POST" && id === null) {
    const comment = { id: state.nextId++, author: state.user, body: body() };
    comments.push(comment);
    return made(show(comment));
  }
  const comment = comments.find((each) => each.id === id);
  if (asked.method !== "PUT" || comment === undefined) throw notFound("Note");
  if (comment.author !== state.user) throw new ForgeSays(403, { message: "403 Forbidden" });
  comment.body = body();
  return ok(show(comment));
}
