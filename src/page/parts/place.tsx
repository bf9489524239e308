/** Where something is written, and the way there where the forge is known. */
import type { SourcePosition } from "../../model/source-position.ts";
import { type ForgeLinks, fileLink } from "../../report/gateway/forge-links.ts";

/** Of one commit; null: nothing is linked. */
export interface Links {
  readonly forge: ForgeLinks;
  readonly commit: string;
}

export const linksOf = (forge: ForgeLinks | null | undefined, commit: string | null): Links | null =>
  forge === null || forge === undefined || commit === null ? null : { forge, commit };

interface PlaceProps {
  readonly place: SourcePosition | null | undefined;
  readonly links: Links | null;
}

export function Place({ place, links }: PlaceProps) {
  if (place === null || place === undefined) return null;
  const text = `${place.file}:${place.line}`;
  const href = links === null ? null : webAddress(fileLink(links.forge, links.commit, place));
  if (href === null) return <code class="place">{text}</code>;
  return (
    <a class="place" href={href} rel="noreferrer">
      {text}
    </a>
  );
}

/** Only what a browser opens as a page: a pattern comes from a file, and `javascript:` is an address too. */
export const webAddress = (address: string | null): string | null =>
  address !== null && /^https?:\/\//.test(address) ? address : null;
