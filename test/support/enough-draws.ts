/**
 * Whether properties are drawn as often as they say. `npm run mutate` makes so few draws that how often they met what they are about says
 * nothing (`mutate/vitest.config.ts`).
 */
export const ENOUGH_DRAWS = process.env.ODOROBO_FEW_DRAWS === undefined;
