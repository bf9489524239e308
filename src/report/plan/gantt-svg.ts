/** When everything moves, as an SVG of its own: no script, no style from elsewhere, and every bar says itself what it is. */
import { type Bar, rowsByVm } from "../../schedule/gantt.ts";
import { GANTT_KINDS } from "./gantt-kinds.ts";
import { showClock } from "./show-clock.ts";

const [LABEL, CHART, ROW, HEAD] = [220, 720, 20, 28];
const TICKS = 6;

export function renderGanttSvg(bars: readonly Bar[]): string {
  const rows = rowsByVm(bars);
  const end = Math.max(1, ...bars.map(({ endS }) => endS));
  const x = (seconds: number): number => LABEL + Math.round((seconds / end) * CHART * 10) / 10;
  const kinds = Object.entries(GANTT_KINDS).filter(([kind]) => bars.some((bar) => bar.kind === kind));
  const [width, height] = [LABEL + CHART + 40, HEAD + rows.length * ROW + 16 + kinds.length * 16];
  const bottom = HEAD + rows.length * ROW;
  const lines = [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" font-family="sans-serif" font-size="12">`,
    `<rect width="${width}" height="${height}" fill="#ffffff"/>`,
  ];
  for (let tick = 0; tick <= TICKS; tick++) {
    const seconds = (end / TICKS) * tick;
    lines.push(
      `<line x1="${x(seconds)}" y1="${HEAD - 6}" x2="${x(seconds)}" y2="${bottom}" stroke="#dddddd"/>`,
      `<text x="${x(seconds)}" y="${HEAD - 10}" text-anchor="middle" fill="#555555">${showClock(seconds)}</text>`,
    );
  }
  for (const [index, { name, bars: mine }] of rows.entries()) {
    const top = HEAD + index * ROW;
    lines.push(`<text x="${LABEL - 8}" y="${top + 14}" text-anchor="end">${inXml(name)}</text>`);
    for (const bar of mine) {
      const wide = Math.max(2, Math.round((x(bar.endS) - x(bar.startS)) * 10) / 10);
      lines.push(
        `<rect x="${x(bar.startS)}" y="${top + 3}" width="${wide}" height="${ROW - 6}" fill="${GANTT_KINDS[bar.kind].colour}"><title>${inXml(describe(bar))}</title></rect>`,
      );
    }
  }
  for (const [index, [, { colour, text }]] of kinds.entries()) {
    const top = bottom + 12 + index * 16;
    lines.push(
      `<rect x="${LABEL}" y="${top}" width="10" height="10" fill="${colour}"/>`,
      `<text x="${LABEL + 16}" y="${top + 9}" fill="#555555">${text}</text>`,
    );
  }
  return [...lines, "</svg>", ""].join("\n");
}

function describe({ vm, from, to, startS, endS, kind }: Bar): string {
  const way = from === null || from === to ? `on ${to}` : `${from} → ${to}`;
  return `${vm} ${way}: ${GANTT_KINDS[kind].text}, ${showClock(startS)} to ${showClock(endS)}`;
}

const inXml = (text: string): string =>
  text.replace(/[&<>"']/g, (sign) => `&#${sign.charCodeAt(0)};`).replace(/[^\P{C}]/gu, " ");
