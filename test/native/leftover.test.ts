import { readFileSync } from 'node:fs';
import t from 'tap';
import { imageAddon, isAbsent } from '../../src/native.ts';
import { openPicture } from '../../src/vision/open.ts';
import { renderPixels } from '../../src/vision/render/render.ts';

const addon = imageAddon();
const skip = isAbsent(addon) ? addon.found : false;
const photo = readFileSync(new URL('../../fixtures/photos/aitzgorri.jpg', import.meta.url));

t.test(
  'data left over is found by all its bytes, also where libjpeg has read some of them ahead',
  { skip },
  async (t) => {
    // 16 bytes may be padding. libjpeg reads up to 8 ahead: one of 255 with what was put behind it, and before it.
    for (const others of [14, 15, 16, 20])
      for (const fill of [0, 1, 2, 3])
        for (let at = 0; at < 6; at++) {
          const rest = Array.from({ length: others }, (_, i) => (i * 37 + 11) % 255);
          const more = Buffer.from([...rest.slice(0, at), ...Array(fill).fill(255), 255, 0, ...rest.slice(at)]);
          const picture = await openPicture(Buffer.concat([photo.subarray(0, -2), more, photo.subarray(-2)]));
          const found = await renderPixels(picture).then(
            () => 'sound',
            ({ message }: Error) => message,
          );
          t.match(
            found,
            more.length > 16 ? /data left over/ : 'sound',
            `${more.length} bytes: ${more.toString('hex')}`,
          );
        }
  },
);
