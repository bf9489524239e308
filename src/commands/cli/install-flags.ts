/** How a service is written onto this server, whichever it is. */
import { Flags } from "@oclif/core";

export const installFlags = {
  "dry-run": Flags.boolean({ summary: "only say what would be done", default: false }),
  root: Flags.string({
    summary: "write below this folder instead of /, for images; systemd is left alone",
    helpValue: "FOLDER",
    default: "/",
  }),
};
