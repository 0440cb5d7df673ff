import { printable } from './errors.ts';

/** Text made safe to stand in a page, inside an element or an attribute in double quotes; line ends stay. */
export function escapeHtml(value: string): string {
  const entities: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' };
  return value
    .split('\n')
    .map((line) => printable(line).replace(/[&<>"']/g, (char) => entities[char]!))
    .join('\n');
}

/** A picture that lies in the page. */
export function imageTag(alt: string, type: string, bytes: Uint8Array): string {
  return `<img alt="${escapeHtml(alt)}" src="data:${type};base64,${Buffer.from(bytes).toString('base64')}">`;
}

const style = `
body { font: 15px/1.5 sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; color: #222; background: #fff; }
h1, h2 { font-weight: 600; line-height: 1.2; }
table { border-collapse: collapse; margin: 1rem 0; }
td, th { text-align: left; padding: 0.2rem 1.2rem 0.2rem 0; border-bottom: 1px solid #ddd; }
td.number, th.number { text-align: right; font-variant-numeric: tabular-nums; }
img { max-width: 100%; height: auto; }
pre { background: #f5f5f5; padding: 1rem; overflow: auto; }
figure { display: inline-block; width: 12rem; margin: 0 1rem 1rem 0; vertical-align: top; overflow-wrap: anywhere; }
figcaption { font-size: 13px; line-height: 1.3; }
`;

/** A page that opens anywhere and asks nothing of the network: pictures are data inside it, and its policy forbids scripts and requests. */
export function htmlText(title: string, body: readonly string[]): string {
  return [head(title), ...body, tail, ''].join('\n');
}

function head(title: string): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src data:; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width">
<title>${escapeHtml(title)} · patchstream</title>
<style>${style}</style>
</head>
<body>`;
}

const tail = `</body>
</html>`;
