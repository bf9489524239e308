/** Whether the sockets of guests fit into the 107 bytes that the kernel allows for their paths. */
import { type Check, fail, ok, warn } from "../examination.ts";

const MOST_BYTES = 107;
const LONGEST_SOCKET = "/console.sock";
/** A VM's name may have so many letters. */
const LONGEST_NAME = 63;

export const checkSocketPaths: Check = async ({ settings }) => {
  const check = "sockets";
  const room = MOST_BYTES - Buffer.byteLength(`${settings.runFolder}/vms/`) - LONGEST_SOCKET.length;
  const tooLong = (settings.known?.vms ?? []).filter((name) => name.length > room);
  if (tooLong.length > 0)
    return [
      fail(
        check,
        `the sockets of ${tooLong.sort().join(", ")} have too long a path below ${settings.runFolder}`,
        "give a shorter --run FOLDER",
      ),
    ];
  if (room >= LONGEST_NAME)
    return [ok(check, `VMs of any name have room for their sockets below ${settings.runFolder}`)];
  return [
    warn(
      check,
      `VMs with names of more than ${room} letters have no room for their sockets below ${settings.runFolder}`,
      "give a shorter --run FOLDER",
    ),
  ];
};
