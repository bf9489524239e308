/** What Cloud Hypervisor refuses, in its own words, and what we make of it. */
import { describe, expect, test } from "vitest";
import { readChain, toError } from "../../../src/agent/hypervisor/cloud-hypervisor/refusal.ts";
import type { ErrorCode } from "../../../src/model/errors.ts";

interface Case {
  readonly what: string;
  readonly endpoint: string;
  readonly status: number;
  readonly chain: readonly string[];
  readonly code: ErrorCode;
  readonly version?: string;
  /** In the message. */
  readonly says?: string;
}

const api = (...chain: readonly string[]) => ["Error from API", ...chain];

/** Bodies as v53 sends them, unless a version is named. */
const CASES: readonly Case[] = [
  {
    what: "info of an empty process",
    endpoint: "vm.info",
    status: 404,
    chain: api("The VM info is not available", "VM is not created"),
    code: "WRONG_PHASE",
  },
  {
    what: "boot without a configuration",
    endpoint: "vm.boot",
    status: 404,
    chain: api("The VM could not boot", "VM config is missing"),
    code: "WRONG_PHASE",
  },
  {
    what: "pause of what does not run",
    endpoint: "vm.pause",
    status: 500,
    chain: api("The VM could not be paused", "VM is not running"),
    code: "WRONG_PHASE",
  },
  {
    what: "resume of what runs",
    endpoint: "vm.resume",
    status: 500,
    chain: api(
      "The VM could not resume",
      "Cannot resume VM",
      "Failed to resume migratable component",
      "Invalid transition: InvalidStateTransition(Running, Running)",
    ),
    code: "WRONG_PHASE",
  },
  {
    what: "a second VM",
    endpoint: "vm.create",
    status: 500,
    chain: api("The VM could not be created", "VM is already created"),
    code: "WRONG_PHASE",
  },
  {
    what: "anything while the guest is sent away",
    endpoint: "vm.resize",
    status: 500,
    chain: api("The VM could not be resized", "VM is currently migrating and can't be modified"),
    code: "WRONG_PHASE",
  },
  {
    what: "CPUs while others are being taken away",
    endpoint: "vm.resize",
    status: 429,
    chain: ["Too Many Requests"],
    code: "HYPERVISOR_BUSY",
  },
  {
    what: "the same in words",
    endpoint: "vm.resize",
    status: 500,
    chain: api("The VM could not be resized", "Error from CPU manager", "Still pending removed vCPU"),
    code: "HYPERVISOR_BUSY",
  },
  {
    what: "an id whose device the guest still holds",
    endpoint: "vm.add-disk",
    status: 500,
    chain: api(
      "The disk could not be added to the VM",
      "Error from device manager",
      "Invalid identifier as it is not unique: d1",
    ),
    code: "HYPERVISOR_BUSY",
  },
  {
    what: "an id that is in use",
    endpoint: "vm.add-disk",
    status: 500,
    chain: api("The disk could not be added to the VM", "Failed to validate config", "Identifier d0 is not unique"),
    code: "BAD_REQUEST",
  },
  {
    what: "the same with the status of v54",
    endpoint: "vm.add-disk",
    status: 409,
    chain: api("The disk could not be added to the VM", "whatever it says"),
    version: "54.0.0",
    code: "BAD_REQUEST",
  },
  {
    what: "a configuration that is none",
    endpoint: "vm.boot",
    status: 500,
    chain: api("The VM could not boot", "Failed to validate config", "Queue count (2) must not exceed boot vCPUs (1)"),
    code: "BAD_REQUEST",
    says: "Queue count (2) must not exceed boot vCPUs (1)",
  },
  {
    what: "a body that is no JSON",
    endpoint: "vm.resize",
    status: 400,
    chain: ["Failed to deserialize JSON", "EOF while parsing a value at line 1 column 17"],
    code: "BAD_REQUEST",
  },
  {
    what: "a device that is not there, v53",
    endpoint: "vm.remove-device",
    status: 500,
    chain: api(
      "The device could not be removed from the VM",
      "Error from device manager",
      "Failed to find device corresponding to the given identifier: d1",
    ),
    code: "NOT_FOUND",
  },
  {
    what: "a device that is not there, before the boot",
    endpoint: "vm.remove-device",
    status: 500,
    chain: api("The device could not be removed from the VM", 'No device with id "nope" to remove'),
    code: "NOT_FOUND",
  },
  {
    what: "something that is not there, by the status of v54",
    endpoint: "vm.resize-disk",
    status: 404,
    chain: api("The disk could not be resized", "in words of another day"),
    version: "54.0.0",
    code: "NOT_FOUND",
  },
  {
    what: "the same status from a version whose statuses mean little",
    endpoint: "vm.resize-disk",
    status: 404,
    chain: api("The disk could not be resized", "in words of another day"),
    version: "52.0.0",
    code: "HYPERVISOR_FAILED",
  },
  {
    what: "a device that stays",
    endpoint: "vm.remove-device",
    status: 500,
    chain: api(
      "The device could not be removed from the VM",
      "Error from device manager",
      "Not allowed to remove this type of device from the VM: 16",
    ),
    code: "UNSUPPORTED",
  },
  {
    what: "a call that this build lacks",
    endpoint: "vm.coredump",
    status: 404,
    chain: ["Not Found"],
    code: "UNSUPPORTED",
  },
  {
    what: "a disk that another VM has open",
    endpoint: "vm.boot",
    status: 500,
    chain: api("The VM could not boot", "Error locking disk images: Another instance likely holds a lock"),
    code: "HYPERVISOR_FAILED",
  },
  {
    what: "a file that is not there",
    endpoint: "vm.boot",
    status: 500,
    chain: api("The VM could not boot", "Cannot open kernel file", "No such file or directory (os error 2)"),
    code: "HYPERVISOR_FAILED",
    says: "refused vm.boot: Cannot open kernel file: No such file or directory (os error 2)",
  },
];

describe.each(CASES)("$what ($endpoint, $status)", ({ endpoint, status, chain, code, version = "53.0.0", says }) => {
  const error = toError({ endpoint, status, body: JSON.stringify(chain), version });

  test(`is ${code}`, () => expect(error.code).toBe(code));

  test("tells its root cause, and keeps the whole chain", () => {
    expect(error.message).toContain(says ?? chain.at(-1));
    const causes: string[] = [];
    for (let cause = error.cause as Error | undefined; cause !== undefined; cause = cause.cause as Error | undefined)
      causes.push(cause.message);
    expect(causes).toEqual(chain);
  });
});

test("the HTTP server's own words are read as well, line breaks and all", () => {
  const body =
    '{ "error": "Request payload with size 51201 is larger than the limit of 51200 allowed by server.\nAll previous unanswered requests will be dropped." }';
  expect(toError({ endpoint: "vm.create", status: 400, body, version: "53.0.0" })).toMatchObject({
    code: "BAD_REQUEST",
    message: expect.stringContaining("larger than the limit of 51200"),
  });
  const busy = '{ "error": "Too many open connections" }';
  expect(toError({ endpoint: "vm.info", status: 503, body: busy, version: null }).code).toBe("HYPERVISOR_BUSY");
});

test("no body, no JSON, foreign JSON: an error all the same, on one line and of bounded length", () => {
  expect(toError({ endpoint: "vm.boot", status: 400, body: "", version: null })).toMatchObject({
    code: "BAD_REQUEST",
    message: "Cloud Hypervisor refused vm.boot: status 400, without a word",
  });
  expect(readChain("<html>\u001b[31mno</html>")).toEqual(["<html> [31mno</html>"]);
  expect(readChain('"just text"')).toEqual(["just text"]);
  expect(readChain("[1, null]")).toEqual(["1", "null"]);
  expect(readChain(JSON.stringify(["x".repeat(100_000)]))[0]?.length).toBe(1000);
});
