/** Who does something here, for people: `me@laptop, process 4711`. */
import { hostname, userInfo } from "node:os";

export const whoami = (): string => `${userName()}@${hostname()}, process ${process.pid}`;

function userName(): string {
  try {
    return userInfo().username;
  } catch {
    // A user id without a name, as containers have them.
    return String(process.getuid?.() ?? "somebody");
  }
}
