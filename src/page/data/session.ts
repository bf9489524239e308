/** Who looks: asked once, and again when the gateway says that it does not know us any more. */
import { computed, signal } from "@preact/signals";
import { includesRole, type Role } from "../../model/role.ts";
import type { Me, SignedOut, SignIn } from "../../report/gateway/page-documents.ts";
import { forgetVms } from "./fleet-vms.ts";
import { get, onSignedOut, post, type Refused, refusedBy, send } from "./http.ts";
import { goLive, stopLive } from "./live.ts";
import { forgetAll, readAllAgain } from "./resource.ts";

export type Session =
  | { readonly kind: "asking" }
  /** The gateway did not answer; it is asked again. */
  | { readonly kind: "unreachable"; readonly because: Refused }
  | { readonly kind: "signed-out"; readonly ways: SignIn | null; readonly hadOne: boolean }
  | { readonly kind: "signed-in"; readonly me: Me };

export const session = signal<Session>({ kind: "asking" });
export const me = computed(() => (session.value.kind === "signed-in" ? session.value.me : null));

export const may = (role: Role): boolean => me.value !== null && includesRole(me.value.role, role);

/** Where to come back to from a provider's page: its answer leads to the beginning. */
const PLACE = "odorobo-place";
const ASK_AGAIN_MS = 2_000;

let isAsking = false;

export async function askWhoIAm(): Promise<void> {
  if (isAsking) return;
  isAsking = true;
  try {
    const found = await get<Me>("/v1/me");
    const before = me.peek();
    if (before !== null && before.name !== found.name) forget();
    session.value = { kind: "signed-in", me: found };
    goBack();
    goLive();
    readAllAgain();
  } catch (error) {
    const refused = refusedBy(error);
    if (refused.status === 401) await signedOut();
    else {
      session.value = { kind: "unreachable", because: refused };
      setTimeout(() => void askWhoIAm(), ASK_AGAIN_MS);
    }
  } finally {
    isAsking = false;
  }
}

onSignedOut(() => {
  // Of somebody who was in: the first question of all is answered by `askWhoIAm` itself.
  if (session.peek().kind === "signed-in") void signedOut();
});

/** Of somebody who is let in as they are, and may look only. */
export const wantToSignIn = (): Promise<void> => signedOut(false);

async function signedOut(hadOne = session.peek().kind === "signed-in"): Promise<void> {
  stopLive();
  session.value = { kind: "signed-out", ways: null, hadOne };
  try {
    const ways = await get<SignIn>("/v1/sign-in");
    if (session.peek().kind === "signed-out") session.value = { kind: "signed-out", ways, hadOne };
  } catch {
    // A token is what every gateway may ask for.
  }
}

/** Rejects with Refused. The token is in no address, and kept nowhere here: the cookie that comes back is not ours to read. */
export async function signInBy(token: string): Promise<void> {
  await post("/v1/session", { token });
  await askWhoIAm();
}

export function leaveForProvider(start: string): void {
  sessionStorage.setItem(PLACE, location.hash);
  location.assign(start);
}

function goBack(): void {
  const place = sessionStorage.getItem(PLACE);
  sessionStorage.removeItem(PLACE);
  if (place !== null && place !== "" && location.hash === "") location.hash = place;
}

/** Rejects with Refused. */
export async function signOut(): Promise<void> {
  const response = await send("/v1/session", { method: "DELETE", headers: { "content-type": "application/json" } });
  const text = await response.text();
  const next = text === "" ? null : (JSON.parse(text) as SignedOut).next;
  stopLive();
  forget();
  session.value = { kind: "asking" };
  if (next === null) await askWhoIAm();
  else location.assign(next);
}

/** Somebody else may be who looks next. */
function forget(): void {
  forgetAll();
  forgetVms();
}
