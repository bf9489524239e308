/** A forge as the gateway needs it: something to say at commits and at pull requests, and to be asked which of these are open. */
import type { ForgeKind } from "../hooks/hook-event.ts";

/** Kinds that can be told something. */
export type ApiKind = Exclude<ForgeKind, "generic">;

export interface ForgeConfig {
  readonly kind: ApiKind;
  /** Of the API, or of the forge, which says it as well: `https://api.github.com`, `https://git.example.net`. */
  readonly url: string;
  /** `owner/name`; on GitLab with all its groups. */
  readonly repository: string;
  /** Read again for each question, so that it is changed without a restart. */
  readonly tokenFile: string;
  /** Who signs its certificate; without it, the system's own list. */
  readonly caFile?: string | undefined;
}

/** `error`: not the commit's fault. `neutral`: nothing became of it, and nothing will; where there is no such state, success. */
export type StatusState = "pending" | "success" | "failure" | "error" | "neutral";

export interface CommitStatus {
  readonly commit: string;
  /** Who says it: `odorobo/shop`. */
  readonly context: string;
  readonly state: StatusState;
  /** For people; shortened to what the forge takes. */
  readonly line: string;
  readonly link: string | null;
}

export interface OpenPullRequest {
  readonly number: number;
  /** `commit`: its whole name; Bitbucket says the first twelve digits. `ref`: what a fetch of the repository takes; null: there is none. */
  readonly head: { readonly ref: string | null; readonly branch: string; readonly commit: string };
  /** The branch's short name. */
  readonly base: { readonly ref: string };
  /** Its head is in another repository, whose people may not write to this one. */
  readonly isFork: boolean;
}

/** All reject with FORGE_UNREACHABLE, RATE_LIMITED (both: later) or FORGE_REFUSED (not like this), and with the signal's reason. */
export interface Forge {
  readonly kind: ApiKind;
  /** For people, and in messages: never with credentials. */
  readonly name: string;
  readonly limits: ForgeLimits;
  setStatus(status: CommitStatus, signal: AbortSignal): Promise<void>;
  /**
   * One comment, found again by `marker` and by being our own, else made. `markdown` begins with the marker. Answers where it is to
   * be seen, where the forge says so.
   */
  putComment(number: number, marker: string, markdown: string, signal: AbortSignal): Promise<string | null>;
  /** Those that want into that branch. */
  pullRequests(base: string, signal: AbortSignal): Promise<readonly OpenPullRequest[]>;
  /** Whether the repository is seen with this token; answers with whose it is, where that is told. For `gateway check`. */
  whoAmI(signal: AbortSignal): Promise<string | null>;
}

export interface ForgeLimits {
  /** Characters. */
  readonly line: number;
  readonly context: number;
  readonly comment: number;
  /** Whether comments may hold HTML: where not, a plan is plain text in a fence. */
  readonly html: boolean;
}

/**
 * GitHub: 422 beyond 140 and beyond 65,536. GitLab: `description` and `name` are columns of 255 characters, notes 1,000,000 bytes.
 * Gitea and Forgejo: texts without a limit of their own; a line is a line. Bitbucket: keys of 40 characters, comments of 32,768.
 */
export const FORGE_LIMITS: Readonly<Record<ApiKind, ForgeLimits>> = {
  github: { line: 140, context: 255, comment: 65_536, html: true },
  gitlab: { line: 255, context: 255, comment: 250_000, html: true },
  gitea: { line: 255, context: 255, comment: 65_536, html: true },
  forgejo: { line: 255, context: 255, comment: 65_536, html: true },
  bitbucket: { line: 255, context: 40, comment: 32_768, html: false },
};
