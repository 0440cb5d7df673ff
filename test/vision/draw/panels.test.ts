import sharp from 'sharp';
import t from 'tap';
import { panelsSvg } from '../../../src/vision/draw/panels.ts';
import { blankPixels } from '../../../src/vision/pixels.ts';

t.test(
  'panels as SVG: headings, pictures inside the file at their places, captions in lines, all escaped',
  async (t) => {
    const [red, blue] = [blankPixels(200, 200, [255, 0, 0]), blankPixels(100, 200, [0, 0, 255])];
    const caption = ['a<b>.jpg', 'x'.repeat(50), 'y'.repeat(30)].join(' · ');
    const svg = await panelsSvg(
      'Panels & more',
      ['one', 'two'],
      [{ tiles: [red, blue], caption }, { tiles: [undefined, red] }],
    );
    t.match(svg, /aria-label="Panels &amp; more"/);
    t.match(svg, />one<[\s\S]*>two<[\s\S]*>a&lt;b&gt;\.jpg · x/);
    t.match(svg, /x{50}<\/text>[\s\S]*y{30}<\/text>/, 'parts of a caption stay whole');
    t.equal(svg.split('<image ').length - 1, 3);
    t.notMatch(svg, /<b>|undefined/);
    const { data, info } = await sharp(Buffer.from(svg)).removeAlpha().raw().toBuffer({ resolveWithObject: true });
    t.equal(info.width, 16 + 200 + 12 + 200 + 16);
    const at = (x: number, y: number) => [...data.subarray((y * info.width + x) * 3, (y * info.width + x) * 3 + 3)];
    t.same(at(100, 120), [255, 0, 0]);
    t.same(at(16 + 212 + 100, 120), [0, 0, 255], 'a narrow tile stands in the middle of its column');
    t.same(at(16 + 212 + 20, 120), [255, 255, 255]);
  },
);

t.test('no rows make an empty page', async (t) => {
  t.match(await panelsSvg('none', [], []), /^<svg [\s\S]*<\/svg>\n$/);
});
