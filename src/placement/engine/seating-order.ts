/** Who chooses first. */
import type { Terrain } from "./terrain.ts";

/** Those first who have one node to go to, because the others can go elsewhere; then the biggest; then by name. */
export function inSeatingOrder({ allowed, closed, wants, resources }: Terrain, vms: readonly number[]): number[] {
  const choices = new Map<Uint8Array, number>();
  const isTied = (vm: number): boolean => {
    const mask = allowed[vm]!;
    const known = choices.get(mask) ?? mask.filter((may, node) => may === 1 && closed[node] === 0).length;
    choices.set(mask, known);
    return known === 1;
  };
  const rank = new Map(vms.map((vm) => [vm, isTied(vm) ? 0 : 1]));
  return [...vms].sort((a, b) => {
    if (rank.get(a) !== rank.get(b)) return rank.get(a)! - rank.get(b)!;
    for (let r = resources - 1; r >= 0; r--) {
      const difference = wants[b * resources + r]! - wants[a * resources + r]!;
      if (difference !== 0) return difference;
    }
    return a - b;
  });
}
