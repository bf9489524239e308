/** Ports of a node that lead to one guest already, as its report says. */
import { expect, test } from "vitest";
import { vmName } from "../../src/model/names.ts";
import type { NodeReport } from "../../src/model/observed-state.ts";
import type { Forward } from "../../src/model/vm-spec.ts";
import { whyPortTaken } from "../../src/reconcile/look-ahead.ts";
import { aSpec } from "../support/a-fleet.ts";
import { aVmReport } from "../support/wire-builders.ts";

const spec = (over: Partial<Forward> = {}) => {
  const forward: Forward = { guestPort: 22, protocol: "tcp", host: "127.0.0.1", hostPort: 2222, ...over };
  const nic = { name: "eth0", network: "default", attachment: { kind: "user" }, mac: "52:54:00:00:00:01" } as const;
  return aSpec({ nics: [{ ...nic, address: null, forwards: [forward] }] });
};

const open = { nic: "eth0", host: "127.0.0.1", hostPort: 2222, guestPort: 22, protocol: "tcp" } as const;
const report = { vms: [aVmReport("db", { forwards: [open] })] } as unknown as NodeReport;

test("a port that leads to another guest is not there for this one; its own is, and one that is chosen always", () => {
  const why = (over?: Partial<Forward>, name = "web") => whyPortTaken(vmName(name), spec(over), report);
  expect(why()).toBe("has no port 2222 at 127.0.0.1 left: it leads to db");
  expect(why({ host: "0.0.0.0" })).toBe("has no port 2222 at 0.0.0.0 left: it leads to db");
  expect(why({ hostPort: null })).toBeNull();
  expect(why({ protocol: "udp" })).toBeNull();
  expect(why({ host: "127.0.0.2" })).toBeNull();
  expect(why({}, "db")).toBeNull();
  expect(whyPortTaken(vmName("web"), spec(), undefined)).toBeNull();
});
