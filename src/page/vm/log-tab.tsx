/** The end of its serial line's log, as text: whatever a guest writes, nothing of it is markup. */
import { useEffect, useRef } from "preact/hooks";
import { never } from "../data/concerns.ts";
import { refresh, useResource } from "../data/resource.ts";
import { Empty, Loading, Trouble } from "../parts/message.tsx";
import { vmHref } from "../route.ts";
import { readableText } from "./readable-text.ts";

/** As much as a person scrolls through; a line of a guest that writes none may be as long. */
const TAIL_BYTES = 64 * 1024;
const EVERY_MS = 3_000;

export function LogTab({ path, vm }: { readonly path: string; readonly vm: string }) {
  const log = `${path}/log?tail=${TAIL_BYTES}`;
  const { document: read, refused } = useResource<string>(log, never);
  const box = useRef<HTMLPreElement>(null);
  const isAtEnd = useRef(true);
  useEffect(() => {
    const timer = setInterval(() => {
      if (!document.hidden) refresh(log);
    }, EVERY_MS);
    return () => clearInterval(timer);
  }, [log]);
  const text = readableText(read ?? "");
  useEffect(() => {
    const element = box.current;
    if (element !== null && isAtEnd.current) element.scrollTop = element.scrollHeight;
  }, [text]);
  if (read === null) return refused === null ? <Loading what="its log" /> : <Trouble refused={refused} />;
  if (read === "")
    return (
      <Empty title={`${vm} has written nothing yet`}>
        What it writes to its serial line stands here.{" "}
        <a href={vmHref(fleetOf(path), vm, "console")}>Open its console</a>.
      </Empty>
    );
  return (
    <>
      {refused === null ? null : <Trouble refused={refused} what="Not up to date" />}
      <pre
        class="log"
        ref={box}
        tabIndex={0}
        role="region"
        aria-label={`Log of ${vm}`}
        onScroll={({ currentTarget: it }) => {
          isAtEnd.current = it.scrollHeight - it.scrollTop - it.clientHeight < 40;
        }}
      >
        {text}
      </pre>
    </>
  );
}

const fleetOf = (path: string): string => decodeURIComponent(path.split("/")[3] ?? "");
