import { useId, useState } from "preact/hooks";
import type { SignIn } from "../../report/gateway/page-documents.ts";
import { type Refused, refusedBy } from "../data/http.ts";
import { leaveForProvider, signInBy } from "../data/session.ts";
import { Trouble } from "../parts/message.tsx";

/** Where one was stays in the address: whoever is in again is there again. */
export function SignInView({ ways, hadOne }: { readonly ways: SignIn | null; readonly hadOne: boolean }) {
  const provider = ways?.oidc ?? null;
  return (
    <div class="sign-in card">
      <h1>Sign in</h1>
      {hadOne ? <p role="alert">Your session has ended. Sign in and you are back where you were.</p> : null}
      {provider === null ? null : (
        <button type="button" class="primary wide" onClick={() => leaveForProvider(provider.start)}>
          Sign in with {provider.name}
        </button>
      )}
      {ways === null || ways.token ? <TokenForm isSecond={provider !== null} /> : null}
      {ways !== null && !ways.token && !ways.certificate && provider === null ? (
        <p>
          This gateway knows nobody by name. Give it a <code>tokenFile</code> or an <code>accessFile</code> in its
          gateway.yaml, or answer at its machine: <code>odorobo runs approve</code>.
        </p>
      ) : null}
      {ways?.certificate ? (
        <p class="hint">
          With a client certificate in this browser there is nothing to type: reload the page and choose it.
        </p>
      ) : null}
    </div>
  );
}

function TokenForm({ isSecond }: { readonly isSecond: boolean }) {
  const [token, setToken] = useState("");
  const [refused, setRefused] = useState<Refused | null>(null);
  const [isBusy, setBusy] = useState(false);
  const id = useId();
  const submit = async (event: Event): Promise<void> => {
    event.preventDefault();
    setBusy(true);
    setRefused(null);
    try {
      await signInBy(token.trim());
    } catch (error) {
      setRefused(refusedBy(error));
    }
    setBusy(false);
  };
  return (
    <form onSubmit={(event) => void submit(event)}>
      <label for={id}>Token</label>
      <input
        id={id}
        type="password"
        autocomplete="current-password"
        required
        value={token}
        onInput={(event) => setToken(event.currentTarget.value)}
      />
      <p class="hint">
        From the gateway's token or access file. It is exchanged for a session and not kept in this browser.
      </p>
      <button type="submit" class={isSecond ? "wide" : "primary wide"} disabled={isBusy || token.trim() === ""}>
        {isBusy ? "Signing in …" : "Sign in"}
      </button>
      {refused === null ? null : <Trouble refused={refused} />}
    </form>
  );
}
