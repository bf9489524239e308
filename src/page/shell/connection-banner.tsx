/** Says that what is shown may no longer be so, and since when. Nothing stale is shown without it. */
import { useEffect } from "preact/hooks";
import { clockDifference, everySecond } from "../data/clock.ts";
import { connection } from "../data/live.ts";
import { announce } from "../parts/announce.tsx";
import { Glyph } from "../parts/state.tsx";
import { absolute, roughly } from "../parts/time-words.ts";

/** A connection that comes back at once is nobody's concern. */
const BLINK_MS = 1_500;

export function ConnectionBanner() {
  const now = connection.value;
  const isLost = now.kind === "lost";
  useEffect(() => {
    document.documentElement.toggleAttribute("data-stale", isLost);
    if (!isLost) return;
    const timer = setTimeout(() => announce("Not connected. What is shown is no longer kept up to date."), BLINK_MS);
    return () => clearTimeout(timer);
  }, [isLost]);
  if (now.kind === "lost") {
    const seconds = (everySecond.value - now.since) / 1_000;
    return (
      <div class="banner banner-bad">
        <Glyph shape="triangle" />
        <p>
          <strong>
            Not connected since <time dateTime={new Date(now.since).toISOString()}>{absolute(now.since)}</time>
          </strong>{" "}
          ({roughly(seconds)}): {now.because.message}. What you see was so then. Trying again …
        </p>
      </div>
    );
  }
  if (now.kind === "asking")
    return (
      <div class="banner banner-warn">
        <Glyph shape="half" />
        <p>
          Something between here and the gateway holds its events back, so it is asked every {now.everyMs / 1_000} s
          instead.
        </p>
      </div>
    );
  const apart = clockDifference.value;
  if (apart === 0) return null;
  return (
    <div class="banner banner-note">
      <Glyph shape="half" />
      <p>
        The clock here is {roughly(Math.abs(apart))} {apart > 0 ? "behind" : "ahead of"} the gateway's. Times are shown
        by the gateway's.
      </p>
    </div>
  );
}
