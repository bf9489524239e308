/** Moments as people say them, with the moment itself in the title. */
import { everySecond, everyTenSeconds } from "../data/clock.ts";
import { absolute, relative, roughly, stopwatch } from "./time-words.ts";

const parse = (at: string | number): number => (typeof at === "number" ? at : Date.parse(at));

/** `5 min ago` */
export function When({ at }: { readonly at: string | number }) {
  const moment = parse(at);
  if (Number.isNaN(moment)) return <span>{String(at)}</span>;
  return (
    <time dateTime={new Date(moment).toISOString()} title={absolute(moment)}>
      {relative(moment, everyTenSeconds.value)}
    </time>
  );
}

/** `for 5 min` */
export function Since({ at }: { readonly at: string | number }) {
  const moment = parse(at);
  if (Number.isNaN(moment)) return <span>since {String(at)}</span>;
  return (
    <time dateTime={new Date(moment).toISOString()} title={`since ${absolute(moment)}`}>
      for {roughly((everyTenSeconds.value - moment) / 1_000)}
    </time>
  );
}

/** How long it has been under way, counting. Not read out. */
export const Counting = ({ since }: { readonly since: string }) => (
  <span class="number" aria-hidden="true" title={`since ${absolute(parse(since))}`}>
    {stopwatch(everySecond.value - parse(since))}
  </span>
);
