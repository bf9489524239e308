import type { Chance } from "../chance.ts";
import type { World } from "../world.ts";

/** Makes one fault happen, and says what it hit; null: there was nothing for it to hit. */
export type Perform = (world: World, chance: Chance) => Promise<string | null>;
