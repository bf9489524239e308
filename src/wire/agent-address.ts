/** Where an agent is, as manifests and flags say it: `http://host:port`, `https://host:port` or `unix:///path`. */
import { OdoroboError } from "../model/errors.ts";

export interface AgentAddress {
  /** As given, for people. */
  readonly text: string;
  /** What HTTP requests are addressed to. */
  readonly origin: string;
  readonly isTls: boolean;
  readonly socketPath: string | null;
}

export function parseAgentAddress(text: string): AgentAddress {
  if (text.startsWith("unix:///")) {
    return { text, origin: "http://localhost", isTls: false, socketPath: text.slice("unix://".length) };
  }
  const url = URL.parse(text);
  const isHttp = url?.protocol === "http:" || url?.protocol === "https:";
  const isBare = url?.username === "" && url.password === "" && url.pathname === "/" && url.search + url.hash === "";
  if (url === null || !isHttp || !isBare) {
    // The text itself may hold a password and is not repeated then.
    const shown =
      url !== null && url.username + url.password !== "" ? "an address with a password in it" : JSON.stringify(text);
    throw new OdoroboError("USAGE", `${shown} is not an agent's address`, {
      hint: "give http://host:8890, https://host:8890 or unix:///path",
    });
  }
  return { text, origin: url.origin, isTls: url.protocol === "https:", socketPath: null };
}
