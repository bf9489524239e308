/** Where a guest's serial line is on this host, as a hypervisor says it and a console is told. */

export type SerialPort = StreamPort | LoggedPort;

/** Bytes both ways, for one reader: what it does not take waits at the hypervisor. */
export interface StreamPort {
  readonly kind: "stream";
  /** Where it is now; each start of the guest may make it anew. Null: not there at the moment. `none`: this guest has no such line. */
  find(): Promise<SerialEnd | "none" | null>;
  /** Whether anybody at the hypervisor still moves its bytes. Left out: it cannot be seen. */
  isServed?(): Promise<boolean>;
}

/** The hypervisor appends what the guest says to the log, whoever reads it, and takes what is typed from a named pipe. */
export interface LoggedPort {
  readonly kind: "logged";
  /** Null: nothing can be typed. */
  readonly input: string | null;
}

export type SerialEnd =
  /** A Unix socket that serves one client at a time. */
  | { readonly kind: "socket"; readonly path: string }
  /** `/dev/pts/N`, raw. `holder`: the process that has the other end; null: not known. */
  | { readonly kind: "terminal"; readonly path: string; readonly holder: number | null };

export const socketPort = (path: string): StreamPort => ({
  kind: "stream",
  find: async () => ({ kind: "socket", path }),
});
