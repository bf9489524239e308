/** What stands around every view: where one is, whether what is shown is what is, who one is. */
import { useEffect, useRef } from "preact/hooks";
import { session } from "./data/session.ts";
import { Announcer } from "./parts/announce.tsx";
import { Loading, Trouble } from "./parts/message.tsx";
import { type Route, route } from "./route.ts";
import { ConnectionBanner } from "./shell/connection-banner.tsx";
import { Help } from "./shell/help.tsx";
import { SignInView } from "./shell/sign-in.tsx";
import { TopBar } from "./shell/top-bar.tsx";
import { FleetView } from "./views/fleet.tsx";
import { FleetsView } from "./views/fleets.tsx";
import { NowhereView } from "./views/nowhere.tsx";
import { RunView } from "./views/run.tsx";
import { RunsView } from "./views/runs.tsx";
import { VmView } from "./views/vm.tsx";

export function App() {
  const { kind } = session.value;
  return (
    <>
      <button type="button" class="skip" onClick={skipToMain}>
        Skip to the content
      </button>
      <TopBar />
      {kind === "signed-in" ? <ConnectionBanner /> : null}
      <Main />
      <Announcer />
      <Help />
    </>
  );
}

function Main() {
  const main = useRef<HTMLElement>(null);
  const at = route.value;
  const title = titleOf(at);
  const place = placeOf(at);
  const first = useRef(true);
  useEffect(() => {
    document.title = title === "" ? "odorobo" : `${title} · odorobo`;
    // As if a page were loaded: whoever reads by ear is at its beginning.
    if (!first.current) main.current?.focus({ preventScroll: true });
    first.current = false;
    scrollTo(0, 0);
  }, [place]);
  return (
    <main id="main" tabIndex={-1} ref={main}>
      <Content />
    </main>
  );
}

function Content() {
  const now = session.value;
  switch (now.kind) {
    case "asking":
      return <Loading what="who you are" />;
    case "unreachable":
      return <Trouble refused={now.because} what="Not connected" />;
    case "signed-out":
      return <SignInView ways={now.ways} hadOne={now.hadOne} />;
    case "signed-in":
      return <View at={route.value} />;
  }
}

function View({ at }: { readonly at: Route }) {
  switch (at.view) {
    case "fleets":
      return <FleetsView />;
    case "fleet":
      return <FleetView key={at.fleet} fleet={at.fleet} tab={at.tab} />;
    case "vm":
      return <VmView key={`${at.fleet}/${at.vm}`} fleet={at.fleet} vm={at.vm} tab={at.tab} />;
    case "runs":
      return <RunsView />;
    case "run":
      return <RunView key={at.run} run={at.run} />;
    case "nowhere":
      return <NowhereView path={at.path} />;
  }
}

/** Without the tab: going through tabs leaves the focus at them. */
const placeOf = (at: Route): string => JSON.stringify({ ...at, tab: null });

function titleOf(at: Route): string {
  switch (at.view) {
    case "fleets":
      return "Fleets";
    case "fleet":
      return at.fleet;
    case "vm":
      return `${at.vm} · ${at.fleet}`;
    case "runs":
      return "Runs";
    case "run":
      return `Run ${at.run}`;
    case "nowhere":
      return "";
  }
}

function skipToMain(): void {
  document.getElementById("main")?.focus();
}
