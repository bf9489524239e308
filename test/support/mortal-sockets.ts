/**
 * What an agent says to its hypervisors, as boundaries that it can die at: before each write to one of their sockets, of which
 * a request may take several. A dead agent writes nothing any more, and hears no answer. For a process of its own: all
 * its sockets are changed.
 */
import { Socket } from "node:net";

/** `vmOf`: null for sockets that do not matter. `dies`: from then on this VM's sockets are silent. */
export function mortalSockets(vmOf: (path: string) => string | null, dies: (vm: string) => boolean): void {
  const { connect, write } = Socket.prototype;
  const vms = new WeakMap<Socket, string>();
  Socket.prototype.connect = function (this: Socket, ...args: unknown[]) {
    const [to] = args.flat() as [string | { readonly path?: string | undefined }];
    const path = typeof to === "string" ? to : to?.path;
    const vm = path === undefined ? null : vmOf(path);
    if (vm !== null) vms.set(this, vm);
    return Reflect.apply(connect, this, args) as Socket;
  };
  Socket.prototype.write = function (this: Socket, ...args: unknown[]) {
    const vm = vms.get(this);
    if (vm !== undefined && dies(vm)) return true;
    return Reflect.apply(write, this, args) as boolean;
  };
}
