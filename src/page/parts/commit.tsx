import { useState } from "preact/hooks";

/** A revision by its commit, shortened; outside of git by its own id. */
export function Commit({ revision, commit, link }: CommitProps) {
  const text = commit === null ? revision : commit.slice(0, 10);
  const title = commit ?? revision;
  if (link === undefined || link === null)
    return (
      <code class="commit" title={title}>
        {text}
      </code>
    );
  return (
    <a class="commit-link" href={link} rel="noreferrer" title={title}>
      <code class="commit">{text}</code>
    </a>
  );
}

interface CommitProps {
  readonly revision: string;
  readonly commit: string | null;
  readonly link?: string | null;
}

export function CopyButton({ text, what }: { readonly text: string; readonly what: string }) {
  const [isCopied, setCopied] = useState(false);
  const copy = async (): Promise<void> => {
    await navigator.clipboard.writeText(text);
    setCopied(true);
    setTimeout(() => setCopied(false), 1_500);
  };
  return (
    <button type="button" class="quiet copy" aria-label={`Copy ${what}`} onClick={() => void copy().catch(() => {})}>
      {isCopied ? "copied" : "copy"}
    </button>
  );
}
