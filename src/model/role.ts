/** What a caller of an agent may do. Each role may do what those before it may. */

/**
 * - `observe`: look: reports, events, logs, a console without typing.
 * - `operate`: start, stop, pause, type into consoles: what undoes itself with the next boot.
 * - `apply`: define, change and delete VMs, migrate them, write snapshots: what a plan does.
 * - `admin`: the hypervisor's own API, purge, memory dumps.
 */
export const ROLES = ["observe", "operate", "apply", "admin"] as const;
export type Role = (typeof ROLES)[number];

export const isRole = (text: unknown): text is Role => ROLES.includes(text as Role);

export const includesRole = (has: Role, needed: Role): boolean => ROLES.indexOf(has) >= ROLES.indexOf(needed);
