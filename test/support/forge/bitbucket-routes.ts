/** Bitbucket Cloud: keys of forty characters, links that are required, commits of twelve digits. */
import { type Answered, type Asked, type ForgeComment, ForgeSays, type ForgeState, fieldsOf } from "./forge-state.ts";

const ok = (json: unknown): Answered => ({ status: 200, json });
const made = (json: unknown): Answered => ({ status: 201, json });
const says = (status: number, message: string) => new ForgeSays(status, { type: "error", error: { message } });
const bad = (why: string): never => {
  throw says(400, why);
};

export function answerBitbucket(state: ForgeState, asked: Asked): Answered {
  const { authorization } = asked.headers;
  if (authorization !== `Bearer ${state.token}`)
    throw says(401, "Token is invalid or not supported for this endpoint.");
  if (asked.path === "/2.0/user" && asked.method === "GET") return ok({ type: "user", uuid: state.user });
  const repository = `/2.0/repositories/${state.repository}`;
  if (!asked.path.startsWith(repository)) throw says(404, "Resource not found");
  const path = asked.path.slice(repository.length);
  if (path === "" && asked.method === "GET") return ok({ type: "repository", full_name: state.repository });
  const commit = /^\/commit\/([^/]+)\/statuses\/build$/.exec(path)?.[1];
  if (commit !== undefined && asked.method === "POST") return setStatus(state, asked, commit);
  if (path === "/pullrequests" && asked.method === "GET") {
    const all = [...state.pulls.values()].map((pull) => ({
      type: "pullrequest",
      id: pull.number,
      state: "OPEN",
      source: {
        branch: { name: pull.branch },
        commit: { hash: pull.commit.slice(0, 12) },
        repository: { full_name: pull.fork ?? state.repository },
      },
      destination: { branch: { name: pull.base }, repository: { full_name: state.repository } },
    }));
    return ok(paged(all, asked, 50));
  }
  const [, number, id] = /^\/pullrequests\/(\d+)\/comments(?:\/(\d+))?$/.exec(path) ?? [];
  if (number !== undefined) return comments(state, asked, Number(number), id === undefined ? null : Number(id));
  throw says(404, "Resource not found");
}

function setStatus(state: ForgeState, { body }: Asked, commit: string): Answered {
  const kinds = { key: "string", state: "string", url: "string", name: "string?", description: "string?" } as const;
  const { key = "", state: word = "", url = "", description = "" } = fieldsOf(body, kinds, bad);
  if (key.length > 40) bad("key: Ensure this value has at most 40 characters");
  if (!["INPROGRESS", "SUCCESSFUL", "FAILED", "STOPPED"].includes(word)) bad(`state: ${word} is not valid`);
  if (!/^https?:\/\/[^/]+\.[^/]+/.test(url)) bad("url: Enter a valid URL.");
  if (description.length > 255) bad("description is too long");
  if (!/^[0-9a-f]{12,40}$/.test(commit) || !state.isKnown(commit)) throw says(404, "Commit not found");
  state.statuses.push({ commit, context: key, state: word, line: description, link: url });
  return made({ type: "build", key, state: word, url });
}

function paged(all: readonly unknown[], { query }: Asked, most: number) {
  const pagelen = Number(query.get("pagelen") ?? 10);
  if (pagelen > most && most === 50) bad("Invalid pagelen");
  const page = Number(query.get("page") ?? 1);
  const values = all.slice((page - 1) * pagelen, page * pagelen);
  const next = page * pagelen < all.length ? { next: "https://elsewhere.example.net/not-to-be-followed" } : {};
  return { size: all.length, page, pagelen, values, ...next };
}

function comments(state: ForgeState, asked: Asked, number: number, id: number | null): Answered {
  const all = state.comments.get(number);
  if (all === undefined) throw says(404, "Pull request not found");
  if (asked.method === "GET" && id === null) return ok(paged(all.map(show), asked, 100));
  const raw = () => {
    const content = (fieldsOf(asked.body, { content: "object" }, bad) as { content?: unknown }).content;
    const text = fieldsOf(content, { raw: "string" }, bad).raw ?? "";
    if (text.trim() === "") bad("content.raw: This field is required.");
    if (text.length > 32_768) bad("content.raw: Ensure this value has at most 32768 characters");
    return text;
  };
  if (asked.method === "POST" && id === null) {
    const comment = { id: state.nextId++, author: state.user, body: raw() };
    all.push(comment);
    return made(show(comment));
  }
  const comment = all.find((each) => each.id === id);
  if (asked.method !== "PUT" || comment === undefined) throw says(404, "Comment not found");
  if (comment.author !== state.user) throw says(403, "You may only edit your own comments.");
  comment.body = raw();
  return ok(show(comment));
}

const show = ({ id, author, body }: ForgeComment) => ({
  id,
  type: "pullrequest_comment",
  content: { raw: body, markup: "markdown", html: "" },
  user: { uuid: author },
  deleted: false,
  links: { html: { href: `https://bitbucket.org/c/${id}` } },
});
