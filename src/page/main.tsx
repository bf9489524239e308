/** The page of a gateway. Everything that it shows comes from the routes under /v1 of where it came from. */
import { render } from "preact";
import { App } from "./app.tsx";
import { askWhoIAm } from "./data/session.ts";
import { listenForShortcuts } from "./parts/shortcuts.ts";

const place = document.getElementById("page");
if (place !== null) render(<App />, place);
listenForShortcuts();
void askWhoIAm();
