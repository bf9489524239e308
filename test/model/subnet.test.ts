/** Addresses and subnets as numbers. */
import fc from "fast-check";
import { expect, test } from "vitest";
import {
  addressAt,
  formatIp,
  formatSubnet,
  isWithin,
  linkLocalAddress,
  overlap,
  parseIp,
  parseSubnet,
  type Subnet,
  sizeOf,
  slaacAddress,
} from "../../src/model/identity/subnet.ts";

const subnet = (text: string): Subnet => parseSubnet(text) as Subnet;

test("are read in every spelling and written in one", () => {
  expect(formatSubnet(subnet("10.20.0.7/24"))).toBe("10.20.0.0/24");
  expect(formatSubnet(subnet("FD00:20:0::7/64"))).toBe("fd00:20::/64");
  expect(addressAt(subnet("10.20.0.0/24"), 255n)).toBe("10.20.0.255");
  for (const none of ["10.20.0", "10.20.0.256", "::1::", "fd00::/129", "10.0.0.0/33", "x"])
    expect(parseSubnet(none)).toBeNull();
});

test("guests choose these addresses by themselves", () => {
  expect(slaacAddress(subnet("fd00:20::/64"), "52:54:00:00:00:50")).toBe("fd00:20::5054:ff:fe00:50");
  expect(linkLocalAddress("02:00:00:00:00:01")).toBe("fe80::ff:fe00:1");
});

const anIp = fc.oneof(
  fc.bigInt(0n, 2n ** 32n - 1n).map((value) => ({ bits: 32 as const, value })),
  fc.bigInt(0n, 2n ** 128n - 1n).map((value) => ({ bits: 128 as const, value })),
);
const aSubnet = fc.tuple(anIp, fc.nat(128)).map(([ip, prefix]) => subnet(`${formatIp(ip)}/${prefix % (ip.bits + 1)}`));

test("what is written is what is read", () => {
  fc.assert(fc.property(anIp, (ip) => void expect(parseIp(formatIp(ip))).toEqual(ip)));
  fc.assert(fc.property(aSubnet, (each) => void expect(parseSubnet(formatSubnet(each))).toEqual(each)));
});

test("two subnets overlap when one of them is in the other", () => {
  fc.assert(
    fc.property(aSubnet, aSubnet, (one, other) => {
      const last = (each: Subnet) => ({ bits: each.bits, value: each.value + sizeOf(each) - 1n });
      const shared = [one, other, last(one), last(other)].some((ip) => isWithin(one, ip) && isWithin(other, ip));
      expect(overlap(one, other)).toBe(shared);
      expect(overlap(other, one)).toBe(shared);
    }),
  );
});
