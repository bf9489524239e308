/**
 * Keys that reach nobody. cloud-init gives those of the seed to its default user: user data may take that user away, or refuse them
 * (seen in cloud-init 22.4; the rule is as old as its list of users). Pure.
 *
 * Read line by line and not as YAML: user data is the user's, may be 4 MiB, and what is not understood is not complained of.
 */
import type { Digest } from "../../model/names.ts";
import type { VmSpec } from "../../model/vm-spec.ts";
import type { Finding, ReportField } from "../text/source-document.ts";
import type { UserTexts } from "./user-texts.ts";

export class SshKeysCheck {
  readonly #texts: UserTexts;
  /** Thousands of VMs share few texts. */
  readonly #known = new Map<Digest, Why | null>();

  constructor(texts: UserTexts) {
    this.#texts = texts;
  }

  check({ cloudInit }: VmSpec, report: ReportField): void {
    if (cloudInit === null || cloudInit.userData === null || cloudInit.sshKeys.length === 0) return;
    const why = this.#whyNobody(cloudInit.userData);
    if (why !== null) report(["cloudInit", "sshKeys"], finding(why));
  }

  #whyNobody(digest: Digest): Why | null {
    const known = this.#known.get(digest);
    if (known !== undefined) return known;
    const text = this.#texts.text(digest);
    const why = text === undefined ? null : whyNobody(text);
    this.#known.set(digest, why);
    return why;
  }
}

interface Why {
  readonly because: string;
  readonly hint: string;
}

const finding = ({ because, hint }: Why): Finding => ({
  severity: "warning",
  code: "no-effect",
  message: `these keys reach nobody: ${because}`,
  hint,
});

/** What cloud-init takes beside #cloud-config: the keys are given to the default user all the same. */
const OTHER_FORMATS =
  /^(#!|#include|#cloud-boothook|#part-handler|#cloud-config-archive|#cloud-config-jsonp|content-type:|mime-version:)/i;

/** Null: somebody gets them, or nobody can tell. */
function whyNobody(text: string): Why | null {
  const body = text.replace(/^## *template: *jinja\r?\n/, "");
  if (OTHER_FORMATS.test(body)) return null;
  if (!body.startsWith("#cloud-config"))
    return {
      because: "the user data is none that cloud-init knows",
      hint: "begin it with #cloud-config, or remove the keys",
    };
  const lines = body.split(/\r?\n/);
  if (lines.some((line) => /^allow_public_ssh_keys\s*:\s*["']?(false|no|off|0)\b/i.test(line)))
    return {
      because: "the user data says allow_public_ssh_keys: false",
      hint: "remove that line, or the keys",
    };
  // With `user:` the default user is there, under another name.
  if (lines.some((line) => /^user\s*:/.test(line))) return null;
  const users = blockOf(lines, "users");
  if (users === null || users.some((line) => /\bdefault\b/.test(line)) || users.some(isAlias)) return null;
  return {
    because: "the user data has a list of users, and default is not in it",
    hint: "add - default to its users, or give a user ssh_authorized_keys there",
  };
}

const isAlias = (line: string): boolean => /(^|[\s:,[-])[*&]\w/.test(line);

/** The lines of a top-level key, from its own on to the next one; null when there is none. The last of two counts, as in YAML 1.1. */
function blockOf(lines: readonly string[], key: string): readonly string[] | null {
  const start = lines.findLastIndex((line) => new RegExp(`^["']?${key}["']?\\s*:`).test(line));
  if (start < 0) return null;
  const after = lines.slice(start + 1);
  const end = after.findIndex((line) => /^[^\s#-]/.test(line));
  const comment = (line: string) => line.replace(/(^|\s)#.*/, "");
  return [lines[start] ?? "", ...after.slice(0, end < 0 ? undefined : end)].map(comment);
}
