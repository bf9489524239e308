/** Flags of the commands that go into a guest. */
import { Flags } from "@oclif/core";
import type { GuestFlags } from "./reach-guest.ts";

export const guestFlags = {
  user: Flags.string({
    char: "l",
    summary: "who to be there (default: cloudInit.user of its manifest, else the user of its distribution's image)",
    helpValue: "NAME",
  }),
  port: Flags.integer({ summary: "the guest's port", default: 22, min: 1, max: 65_535, helpValue: "PORT" }),
  identity: Flags.string({ char: "i", summary: "the private key's file, for OpenSSH", helpValue: "FILE" }),
  "jump-user": Flags.string({ summary: "who to be at its node, where the way leads through it", helpValue: "NAME" }),
};

export const toGuestFlags = (flags: {
  readonly port: number;
  readonly identity?: string | undefined;
  readonly "jump-user"?: string | undefined;
}): GuestFlags => ({
  port: flags.port,
  identity: flags.identity ?? null,
  jumpUser: flags["jump-user"] ?? null,
});
