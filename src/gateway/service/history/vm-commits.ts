/**
 * Which commits changed one VM: of those that touched the files that it comes from, those after which it is to be something else. Old
 * commits are read as far as these files go, never whole, and as many as are worth it; what was found is kept by the commit it was found from.
 */
import { isManifestPath, readManifests } from "../../../manifest/read-manifests.ts";
import type { ManifestText } from "../../../manifest/text/source-document.ts";
import { ReadingMemory } from "../../../manifest/vm/reading-memory.ts";
import type { DesiredVm } from "../../../model/desired-state.ts";
import { digestOf } from "../../../model/digest.ts";
import { isOdoroboError } from "../../../model/errors.ts";
import { compareSpecs } from "../../../model/fields.ts";
import type { VmName } from "../../../model/names.ts";
import type { HistoryEntry } from "../../../report/gateway/page-documents.ts";
import { commitsThatTouch, type KnownBlobs, type LoggedCommit, textsAt } from "../../../source/commit-log.ts";
import { Git } from "../../../source/git/git.ts";
import type { Repository } from "../../../source/repository.ts";
import { printable } from "../../sources/refuse-commit.ts";

/** That are looked at. Whoever wants to know more asks git, which has the rest. */
const MOST_COMMITS = 40;
/** Of the files that they are read from: beyond this a commit takes longer than a person waits for all of them. */
const MOST_CHARACTERS = 4 * 1024 * 1024;
/** Of all files that a VM may be made of beside its own: profiles, images. */
const MOST_FILES = 500;
const KEPT_ANSWERS = 200;
const MOST_FIELDS = 20;

export type CommitEntry = Omit<HistoryEntry, "link" | "revision">;

export interface VmCommits {
  readonly entries: readonly CommitEntry[];
  readonly isComplete: boolean;
}

export interface CommitsQuestion {
  readonly vm: VmName;
  /** That it is written in, or was; null: not known. */
  readonly file: string | null;
  readonly commit: string;
  /** What the manifests are now. */
  readonly texts: readonly ManifestText[];
}

export class CommitHistory {
  readonly #repository: Repository;
  readonly #folder: string;
  readonly #kept = new Map<string, VmCommits>();
  #turn: Promise<unknown> = Promise.resolve();

  /** `path`: of the manifests in the repository; null: its root. */
  constructor(repository: Repository, path: string | null) {
    this.#repository = repository;
    const folder = (path ?? "").split("/").filter((part) => part !== "" && part !== ".");
    this.#folder = folder.map((part) => `${part}/`).join("");
  }

  /** One at a time: what reads old commits takes turns with itself, not with what a fleet is kept by. Rejects as reading a repository does. */
  async of(question: CommitsQuestion, signal: AbortSignal): Promise<VmCommits> {
    const key = `${question.commit} ${question.vm}`;
    const known = this.#kept.get(key);
    if (known !== undefined) return known;
    const mine = this.#turn.then(() => this.#kept.get(key) ?? this.#read(question, signal));
    this.#turn = mine.catch(() => {});
    const found = await mine;
    this.#kept.set(key, found);
    const [oldest] = this.#kept.keys();
    if (this.#kept.size > KEPT_ANSWERS && oldest !== undefined) this.#kept.delete(oldest);
    return found;
  }

  async #read({ vm, file, commit, texts }: CommitsQuestion, signal: AbortSignal): Promise<VmCommits> {
    const git = new Git(await this.#repository.folderWith(commit, signal), signal);
    const common = texts.filter((text) => text.path !== file && isForMany(text)).slice(0, MOST_FILES);
    const touching = [...(file === null ? [] : [file]), ...common.filter(mayChangeVms).map(({ path }) => path)];
    if (touching.length === 0) return { entries: [], isComplete: true };
    const commits = await commitsThatTouch(git, commit, touching.map(this.#inRepository), MOST_COMMITS);
    const reading = [...touching, ...common.map(({ path }) => path)];
    const seen: Seen[] = [];
    const blobs: KnownBlobs = new Map();
    const memory = new ReadingMemory();
    let characters = 0;
    for (const each of commits) {
      signal.throwIfAborted();
      const then = await this.#textsAt(git, each.commit, [...new Set(reading)], blobs);
      characters += then?.reduce((sum, { text }) => sum + text.length, 0) ?? 0;
      seen.push({ ...each, vm: then === null ? "unreadable" : vmIn(then, vm, memory) });
      if (characters > MOST_CHARACTERS) break;
      // Whoever waits for the loop of this process comes first.
      await new Promise((resolve) => setImmediate(resolve));
    }
    const isComplete = seen.length === commits.length && commits.length < MOST_COMMITS;
    return { entries: entriesOf(seen, isComplete), isComplete };
  }

  async #textsAt(git: Git, commit: string, paths: readonly string[], blobs: KnownBlobs) {
    try {
      return await textsAt(git, commit, { paths: paths.map(this.#inRepository), folder: this.#folder }, blobs);
    } catch (error) {
      if (!isOdoroboError(error, "SOURCE_UNREADABLE")) throw error;
      return null;
    }
  }

  readonly #inRepository = (path: string): string => this.#folder + path;
}

type SeenVm = DesiredVm | "absent" | "unreadable";
type Seen = LoggedCommit & { readonly vm: SeenVm };

function vmIn(texts: readonly ManifestText[], name: VmName, memory: ReadingMemory): SeenVm {
  const { desired } = readManifests(texts, undefined, null, memory);
  if (desired === null) return "unreadable";
  return desired.vms.find((vm) => vm.name === name) ?? "absent";
}

/** Latest first, as `seen` is. `isAll`: before the last of them it was not there. */
function entriesOf(seen: readonly Seen[], isAll: boolean): CommitEntry[] {
  return seen.flatMap((each, index) => {
    const before = seen.slice(index + 1).find(({ vm }) => vm !== "unreadable");
    const change = changeOf(each.vm, before?.vm ?? (isAll ? "absent" : null));
    if (change === null) return [];
    const { commit, at, author, subject } = each;
    return [{ commit, at, author: printable(author, 80), subject: printable(subject, 120), ...change }];
  });
}

/** `before` null: nobody knows. Null: nothing that is said here of the VM. */
function changeOf(now: SeenVm, before: SeenVm | null): Pick<CommitEntry, "what" | "fields"> | null {
  if (now === "unreadable") return { what: "unreadable", fields: [] };
  if (before === null) return now === "absent" ? null : { what: "first", fields: [] };
  if (now === "absent") return before === "absent" ? null : { what: "removed", fields: [] };
  if (typeof before === "string") return { what: "added", fields: [] };
  if (digestOf(partsOf(now)) === digestOf(partsOf(before))) return null;
  return { what: "changed", fields: fieldsOf(now, before).slice(0, MOST_FIELDS) };
}

const partsOf = ({ spec, placement, windows, ignore }: DesiredVm) => ({
  spec,
  placement,
  windows: windows ?? null,
  ignore,
});

function fieldsOf(now: DesiredVm, before: DesiredVm): string[] {
  const [a, b] = [partsOf(now), partsOf(before)];
  const others = (["placement", "windows", "ignore"] as const).filter(
    (each) => digestOf(a[each]) !== digestOf(b[each]),
  );
  return [...compareSpecs(before.spec, now.spec).map(({ path }) => path), ...others];
}

/** Not of other VMs alone: defaults, profiles, images, and texts that manifests name. */
const isForMany = ({ path, text }: ManifestText): boolean =>
  !isManifestPath(path) || kindsIn(text).some((kind) => kind !== "VirtualMachine");

/** A node or a group that changes makes no VM another one. */
const mayChangeVms = ({ path, text }: ManifestText): boolean =>
  !isManifestPath(path) || kindsIn(text).some((kind) => !["VirtualMachine", "Node", "Group"].includes(kind));

const kindsIn = (text: string): string[] =>
  [...text.matchAll(/^kind:[ \t]*["']?(\w+)/gm)].map(([, kind]) => kind ?? "");
