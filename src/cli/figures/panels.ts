import { escapeHtml, htmlText } from '../../html.ts';
import { panelsSvg } from '../../vision/draw/panels.ts';
import { drawSheet, encodePng, type SheetRow } from '../../vision/draw/sheet.ts';
import type { Forms } from './output.ts';

/** A figure of panels, and what is said of it. */
export interface PanelFigure {
  readonly title: string;
  /** Sentences in front of the panels. */
  readonly about: readonly string[];
  readonly columns: readonly string[];
  readonly rows: readonly SheetRow[];
  /** What a page has behind the panels, as HTML. */
  readonly more?: readonly string[];
}

/** Of figures of panels. */
export const panelEndings = ['.html', '.svg', '.png'] as const;

/** The panels as a page, as SVG and as PNG. */
export function panelForms({ title, about, columns, rows, more = [] }: PanelFigure): Forms {
  const svg = () => panelsSvg(title, columns, rows);
  const head = [`<h1>${escapeHtml(title)}</h1>`, ...about.map((text) => `<p>${escapeHtml(text)}</p>`)];
  return {
    '.html': async () => htmlText(title, [...head, await svg(), ...more]),
    '.svg': svg,
    '.png': () => encodePng(drawSheet(columns, rows)),
  };
}

/** A table of a page; the first cell of a row is its heading. */
export function tableHtml(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const cells = ([first = '', ...rest]: readonly string[], tag: 'th' | 'td') =>
    `<tr><th>${escapeHtml(first)}</th>${rest.map((cell) => `<${tag} class="number">${escapeHtml(cell)}</${tag}>`).join('')}</tr>`;
  return `<table>${cells(head, 'th')}${rows.map((row) => cells(row, 'td')).join('')}</table>`;
}
