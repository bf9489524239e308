/** Characters that look like others, and come along when text is copied from a document or a web page. */

/** Null: there is none. */
export function oddCharacterHint(text: string): string | null {
  if (/[\u201c\u201d\u201e\u2018\u2019\u201a]/.test(text)) return "these quotes are typographic: write straight ones";
  if (/[\u00a0\u2000-\u200b\u202f\u205f\u3000\ufeff]/.test(text))
    return "there is a space here that is none (such as a no-break space): write it again";
  if (/[\u2013\u2014\u2212]/.test(text)) return "this dash is typographic: write a hyphen";
  return null;
}
