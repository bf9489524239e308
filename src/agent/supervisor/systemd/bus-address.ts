/** D-Bus addresses, as far as they name a Unix socket: how a service manager is reached. */
import { OdoroboError } from "../../../model/errors.ts";

/**
 * `unix:path=…` and `unix:abstract=…` in the form for which the D-Bus library uses Node's own sockets. For the others it
 * loads a native module that is not installed. Throws AGENT_CONFIG for what is no Unix socket.
 */
export function toConnectable(address: string): string {
  for (const each of address.split(";")) {
    const [, family, parameters] = /^(\w+):(.*)$/.exec(each) ?? [];
    if (family !== "unix" || parameters === undefined) continue;
    const values = new Map(parameters.split(",").map((pair) => pair.split(/=(.*)/s) as [string, string]));
    const path = values.get("path") ?? values.get("socket");
    const abstract = values.get("abstract");
    if (path !== undefined && path !== "") return `unix:socket=${decodeURIComponent(path)}`;
    if (abstract !== undefined && abstract !== "") return `unix:socket=\0${decodeURIComponent(abstract)}`;
  }
  throw new OdoroboError("AGENT_CONFIG", `${JSON.stringify(address)} is not the address of a D-Bus bus`, {
    hint: "give --bus unix:path=/run/dbus/system_bus_socket",
  });
}
