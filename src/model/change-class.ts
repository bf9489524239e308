/**
 * What a change does to the guest, mildest first. The vocabulary users see: the constant is the word.
 *
 * - `none`: nothing. - `metadata`: nothing in the guest notices. - `live`: changed while it runs (resize, hotplug, start of a stopped guest).
 * - `pause`: the guest stands still for a moment. - `migrate`: moves, running. - `reboot`: power cycle or power off, disks kept.
 * - `replace`: deleted and made anew, local disks left behind. - `destroy`: gone, disks retained for a while.
 */
export const CHANGE_CLASSES = ["none", "metadata", "live", "pause", "migrate", "reboot", "replace", "destroy"] as const;
export type ChangeClass = (typeof CHANGE_CLASSES)[number];

const severity = (changeClass: ChangeClass): number => CHANGE_CLASSES.indexOf(changeClass);

export const isWorse = (a: ChangeClass, b: ChangeClass): boolean => severity(a) > severity(b);

/** The worst of a list; `none` for an empty one. */
export const worstClass = (classes: Iterable<ChangeClass>): ChangeClass => {
  let worst: ChangeClass = "none";
  for (const each of classes) if (isWorse(each, worst)) worst = each;
  return worst;
};
