/** Names in what-if texts. */
import { showNames } from "../words/names.ts";

/** Names as ranges; a few of many. */
export const someNames = (names: readonly string[], most = 20): string =>
  names.length <= most ? showNames(names) : `${showNames(names.slice(0, most))} and ${names.length - most} more`;
