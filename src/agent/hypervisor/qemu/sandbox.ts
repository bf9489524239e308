/** QEMU filters its own system calls: no new programs, no other user, no obsolete calls. A server's guest needs none of them. */
export const SANDBOX_ARGS: readonly string[] = [
  "-sandbox",
  "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny",
];
