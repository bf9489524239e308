import { connection } from "../data/live.ts";
import { me, signOut, wantToSignIn } from "../data/session.ts";
import { Glyph } from "../parts/state.tsx";
import { fleetHref, route } from "../route.ts";
import { isHelpOpen } from "./help.tsx";

export function TopBar() {
  const at = route.value;
  const fleet = at.view === "fleet" || at.view === "vm" ? at.fleet : null;
  const vm = at.view === "vm" ? at.vm : null;
  const who = me.value;
  return (
    <header class="top">
      <a class="brand" href="#/" aria-label="odorobo, all fleets">
        <svg viewBox="0 0 32 32" width="20" height="20" aria-hidden="true">
          <rect width="32" height="32" rx="7" class="brand-plate" />
          <g fill="none" stroke="#fff" stroke-width="2.6" stroke-linecap="round">
            <path d="M8 21.500c3 0 3-3 5.300-3s2.400 3 5.400 3 2.300-3 5.300-3" />
            <circle cx="11" cy="11.500" r="2.600" />
            <circle cx="21" cy="11.500" r="2.600" />
          </g>
        </svg>
        <span class="brand-name">odorobo</span>
      </a>
      {who === null ? null : (
        <nav class="places" aria-label="Places">
          <a href="#/" aria-current={at.view === "fleets" ? "page" : undefined}>
            Fleets
          </a>
          <a href="#/runs" aria-current={at.view === "runs" ? "page" : undefined}>
            Runs
          </a>
          {fleet === null ? null : (
            <span class="crumbs">
              <span aria-hidden="true">/</span>
              <a href={fleetHref(fleet)} aria-current={vm === null ? "page" : undefined}>
                {fleet}
              </a>
              {vm === null ? null : (
                <>
                  <span aria-hidden="true">/</span>
                  <span class="crumb-here" aria-current="page">
                    {vm}
                  </span>
                </>
              )}
            </span>
          )}
        </nav>
      )}
      <div class="top-end">
        {who === null ? null : <ConnectionSign />}
        <button
          type="button"
          class="quiet keys-button"
          aria-label="Keyboard shortcuts"
          title="Keyboard shortcuts (?)"
          onClick={() => {
            isHelpOpen.value = true;
          }}
        >
          ?
        </button>
        {who === null ? null : (
          <details class="menu">
            <summary>
              <span class="who">{who.name}</span> <span class="role">{who.role}</span>
            </summary>
            <div class="menu-body">
              <p>
                You are <strong>{who.name}</strong> by {BY[who.by] ?? who.by} and may {MAY[who.role] ?? who.role}.
              </p>
              {who.by === "session" || who.by === "oidc" ? (
                <button type="button" onClick={() => void signOut().catch(() => location.reload())}>
                  Sign out
                </button>
              ) : (
                <button type="button" onClick={() => void wantToSignIn()}>
                  Sign in as somebody else
                </button>
              )}
            </div>
          </details>
        )}
      </div>
    </header>
  );
}

const BY: Readonly<Record<string, string>> = {
  token: "a token",
  certificate: "your certificate",
  loopback: "being at the gateway's own machine",
  socket: "the gateway's own socket",
  session: "a session",
  oidc: "your provider",
};

const MAY: Readonly<Record<string, string>> = {
  observe: "look, and change nothing",
  operate: "look, and type into consoles",
  apply: "approve, refuse, pause and abort",
  admin: "do everything",
};

function ConnectionSign() {
  const { kind } = connection.value;
  const [tone, shape, word] = (
    {
      connecting: ["busy", "arrow", "connecting"],
      connected: ["good", "disc", "live"],
      asking: ["warn", "half", "polling"],
      lost: ["bad", "triangle", "not connected"],
    } as const
  )[kind];
  return (
    <span class={`state tone-${tone} connection`} title="Whether what is shown is what is">
      <Glyph shape={shape} />
      <span class="state-word">{word}</span>
    </span>
  );
}
