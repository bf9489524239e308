/**
 * cloudInit in words → the user-data text that says the same to cloud-init, so that everything behind it (digests, seeds, changes) knows one
 * thing only. The same words give the same bytes. Pure.
 */
import { digestOfText } from "../../../model/digest.ts";

/** As layers have it: texts of files beside the manifest are here already. */
export interface CloudInitWords {
  readonly user?: string | null;
  readonly password?: { readonly hash: string } | null;
  readonly hostname?: string | null;
  readonly timezone?: string | null;
  readonly packages?: readonly string[] | null;
  readonly files?: readonly GuestFile[] | null;
  readonly runcmd?: readonly (string | readonly string[])[] | null;
  readonly growRoot?: boolean | null;
}

export interface GuestFile {
  readonly path: string;
  readonly content: string;
  readonly mode?: string | null;
  readonly owner?: string | null;
}

const WORDS = ["user", "password", "hostname", "timezone", "packages", "files", "runcmd", "growRoot"] as const;

export const hasWords = (cloudInit: object | null | undefined): boolean =>
  cloudInit != null && WORDS.some((word) => (cloudInit as CloudInitWords)[word] != null);

/** What JSON leaves as it is and PyYAML reads nowhere, not in quotes either. */
const NOT_IN_YAML = /[\x7f-\x9f\ufffe\uffff]/g;
const escaped = (letter: string): string => `\\u${letter.charCodeAt(0).toString(16).padStart(4, "0")}`;

/** `raw`: what the manifest says in cloud-init's own words; null: nothing. */
export function composeUserData(words: CloudInitWords, raw: string | null): string {
  const own = `#cloud-config\n${JSON.stringify(toCloudConfig(words), null, 1).replace(NOT_IN_YAML, escaped)}\n`;
  return raw === null ? own : inParts(raw, own);
}

function toCloudConfig({ user, password, hostname, timezone, packages, files, runcmd, growRoot }: CloudInitWords) {
  return {
    // The default user under another name: it keeps its distribution's groups, shell and sudo, and gets the keys of the metadata.
    ...(user == null
      ? {}
      : { user: { name: user, ...(password ? { lock_passwd: false, passwd: password.hash } : {}) } }),
    ...(hostname == null
      ? {}
      : { hostname: hostname.split(".")[0], ...(hostname.includes(".") ? { fqdn: hostname } : {}) }),
    ...(timezone == null ? {} : { timezone }),
    ...(packages?.length ? { package_update: true, packages } : {}),
    ...(files?.length ? { write_files: files.map(toWriteFile) } : {}),
    ...(runcmd?.length ? { runcmd } : {}),
    ...(growRoot == null
      ? {}
      : growRoot
        ? { growpart: { mode: "auto", devices: ["/"] }, resize_rootfs: true }
        : { growpart: { mode: "off" }, resize_rootfs: false }),
  };
}

function toWriteFile({ path, content, mode, owner }: GuestFile) {
  return {
    path,
    content,
    permissions: `0${(mode ?? "0644").replace(/^0/, "")}`,
    // Users are made after files are written, and packages bring theirs later still.
    ...(owner == null || /^root(:root)?$/.test(owner) ? {} : { owner, defer: true }),
  };
}

/** By their first line, as cloud-init tells them. */
const KINDS: readonly (readonly [header: RegExp, kind: string])[] = [
  [/^## *template: *jinja/i, "text/jinja2"],
  [/^#cloud-config-archive/, "text/cloud-config-archive"],
  [/^#cloud-config-jsonp/, "text/cloud-config-jsonp"],
  [/^#cloud-config/, "text/cloud-config"],
  [/^#cloud-boothook/, "text/cloud-boothook"],
  [/^#include-once/, "text/x-include-once-url"],
  [/^#include/, "text/x-include-url"],
  [/^#part-handler/, "text/part-handler"],
  [/^#!/, "text/x-shellscript"],
];

/** Null: cloud-init would not know it either, or it has parts already. */
export const kindOf = (raw: string): string | null => KINDS.find(([header]) => header.test(raw))?.[1] ?? null;

export const isMultipart = (raw: string): boolean => /^(content-type|mime-version):/i.test(raw);

/** Lists of both are joined; what the first part says of anything else stays. */
const MERGE = "list(append)+dict(no_replace,recurse_list)+str()";

function inParts(raw: string, own: string): string {
  const boundary = `odorobo-${digestOfText(raw + own).slice(0, 24)}`;
  const part = (kind: string, text: string, more = "") =>
    `--${boundary}\nContent-Type: ${kind}; charset="utf-8"\n${more}${bodyOf(text)}`;
  return [
    `Content-Type: multipart/mixed; boundary="${boundary}"\nMIME-Version: 1.0\n\n`,
    part(kindOf(raw) ?? "text/plain", raw),
    part("text/cloud-config", own, `Merge-Type: ${MERGE}\n`),
    `--${boundary}--\n`,
  ].join("");
}

/**
 * Python's parser of mail, which takes the parts apart, makes of a letter outside ASCII another one, or `\\u2014` in its place, unless it is packed:
 * a `#cloud-config` with such a letter is no YAML any more, and all of it is dropped (seen in Python 3.11).
 */
function bodyOf(text: string): string {
  if (/^[\0-\x7f]*$/.test(text)) return `\n${text}${text.endsWith("\n") ? "" : "\n"}`;
  const lines =
    Buffer.from(text, "utf8")
      .toString("base64")
      .match(/.{1,76}/g) ?? [];
  return `Content-Transfer-Encoding: base64\n\n${lines.join("\n")}\n`;
}
