/** The server as a doctor sees it: files, folders, programs and sockets. What could not be seen is a value, never an exception. */
import { execFile } from "node:child_process";
import { constants, type Stats } from "node:fs";
import { access, readdir, readFile, stat, statfs } from "node:fs/promises";
import { connect } from "node:net";
import { isErrno } from "../model/errors.ts";

export type Seen<Value> =
  | { readonly kind: "seen"; readonly value: Value }
  | { readonly kind: "absent" }
  /** `why`: for people. */
  | { readonly kind: "unseen"; readonly why: string };

export interface FileFacts {
  readonly kind: "file" | "folder" | "socket" | "other";
  /** The twelve bits: `0o600`. */
  readonly mode: number;
  readonly uid: number;
}

export interface DiskFacts {
  /** As statfs(2) has it. */
  readonly type: number;
  readonly totalBytes: number;
  /** For users who are not root. */
  readonly freeBytes: number;
  /** 0: this filesystem has no fixed number. */
  readonly totalFiles: number;
  readonly freeFiles: number;
}

export interface Ran {
  readonly code: number;
  readonly output: string;
}

/** What one may know of this server. All of it is bounded in time and size. */
export interface Host {
  /** Of this process. */
  readonly uid: number;
  read(path: string): Promise<Seen<string>>;
  list(path: string): Promise<Seen<readonly string[]>>;
  facts(path: string): Promise<Seen<FileFacts>>;
  disk(path: string): Promise<Seen<DiskFacts>>;
  /** Whether this process may read and write it. */
  isWritable(path: string): Promise<Seen<boolean>>;
  /** stdout and stderr together. Absent: there is no such program. No shell. */
  run(program: string, args: readonly string[], signal: AbortSignal): Promise<Seen<Ran>>;
  /** Sends this, and resolves with what came back until the end of a line. Absent: nobody listens there. */
  converse(address: SocketAddress, say: string, signal: AbortSignal): Promise<Seen<string>>;
}

export type SocketAddress = { readonly path: string } | { readonly port: number };

const RUN_MS = 3_000;
const CONVERSE_MS = 2_000;
const MOST_OUTPUT_BYTES = 2 * 1024 * 1024;

export const thisHost: Host = {
  uid: process.getuid?.() ?? 0,
  read: (path) => see(readFile(path, "utf8")),
  list: (path) => see(readdir(path)),
  facts: (path) => see(stat(path).then(toFacts)),
  disk: (path) =>
    see(
      statfs(path).then(({ type, bsize, blocks, bavail, files, ffree }) => ({
        type,
        totalBytes: blocks * bsize,
        freeBytes: bavail * bsize,
        totalFiles: files,
        freeFiles: ffree,
      })),
    ),
  async isWritable(path) {
    const mayWrite = await see(access(path, constants.R_OK | constants.W_OK));
    if (mayWrite.kind === "seen") return { kind: "seen", value: true };
    const isThere = await see(access(path, constants.F_OK));
    return isThere.kind === "seen" ? { kind: "seen", value: false } : isThere;
  },
  run,
  converse,
};

async function see<Value>(looking: Promise<Value>): Promise<Seen<Value>> {
  try {
    return { kind: "seen", value: await looking };
  } catch (error) {
    if (isErrno(error, "ENOENT") || isErrno(error, "ENOTDIR")) return { kind: "absent" };
    return { kind: "unseen", why: error instanceof Error ? error.message : String(error) };
  }
}

function toFacts(found: Stats): FileFacts {
  const kind = found.isFile() ? "file" : found.isDirectory() ? "folder" : found.isSocket() ? "socket" : "other";
  return { kind, mode: found.mode & 0o7777, uid: found.uid };
}

function run(program: string, args: readonly string[], signal: AbortSignal): Promise<Seen<Ran>> {
  const options = {
    timeout: RUN_MS,
    maxBuffer: MOST_OUTPUT_BYTES,
    killSignal: "SIGKILL",
    // What it says is read by us, in no language but its own; nothing of our environment is its business.
    env: { PATH: process.env.PATH, LC_ALL: "C" },
    signal,
  } as const;
  return new Promise((resolve) => {
    execFile(program, [...args], options, (error, stdout, stderr) => {
      const output = stdout + stderr;
      if (error === null) return resolve({ kind: "seen", value: { code: 0, output } });
      if (isErrno(error, "ENOENT")) return resolve({ kind: "absent" });
      if (typeof error.code === "number") return resolve({ kind: "seen", value: { code: error.code, output } });
      const why = error.killed ? `${program} did not end within ${RUN_MS / 1_000} s` : error.message;
      resolve({ kind: "unseen", why });
    });
  });
}

function converse(address: SocketAddress, say: string, signal: AbortSignal): Promise<Seen<string>> {
  return new Promise((resolve) => {
    const socket = connect("path" in address ? address : { ...address, host: "127.0.0.1" });
    let heard = "";
    const end = (seen: Seen<string>) => {
      clearTimeout(timer);
      signal.removeEventListener("abort", onAbort);
      socket.destroy();
      resolve(seen);
    };
    const onAbort = () => end({ kind: "unseen", why: "interrupted" });
    const timer = setTimeout(() => end({ kind: "unseen", why: "no answer" }), CONVERSE_MS);
    signal.addEventListener("abort", onAbort);
    socket.setEncoding("utf8");
    socket.on("connect", () => socket.write(say));
    socket.on("data", (text: string) => {
      heard += text;
      if (heard.includes("\n") || heard.length > MOST_OUTPUT_BYTES) end({ kind: "seen", value: heard });
    });
    socket.on("end", () => end(heard === "" ? { kind: "unseen", why: "it hung up" } : { kind: "seen", value: heard }));
    socket.on("error", (error) => {
      const isNobody = isErrno(error, "ECONNREFUSED") || isErrno(error, "ENOENT");
      end(isNobody ? { kind: "absent" } : { kind: "unseen", why: error.message });
    });
  });
}
