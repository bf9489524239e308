/** Whether somebody listens on a Unix socket: a file of its own outlives its owner and says nothing. */
import { connect } from "node:net";
import { isErrno } from "../model/errors.ts";

/** Takes no more than the knock. What cannot be told (no permission, a full queue) counts as answered: it may be in use. */
export function isAnswered(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path);
    socket.once("connect", () => {
      resolve(true);
      socket.destroy();
    });
    socket.once("error", (error) => resolve(!isErrno(error, "ECONNREFUSED") && !isErrno(error, "ENOENT")));
  });
}
