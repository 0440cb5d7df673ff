import fc from 'fast-check';
import t from 'tap';
import { frameAround } from '../../src/faces/face-frame.ts';
import { eyesOf, type Landmarks, landmarkCount } from '../../src/faces/landmarks.ts';
import { type Picture, rawPicture } from '../../src/vision/picture.ts';
import { renderPixels } from '../../src/vision/render/render.ts';
import { boundsOf } from '../../src/vision/render/turn.ts';

interface Place {
  readonly x: number;
  readonly y: number;
}

/** Landmarks whose eyes lie there; nothing else of them is looked at. */
function landmarksWith(left: Place, right: Place): Landmarks {
  const landmarks = new Float32Array(2 * landmarkCount);
  for (const [first, { x, y }] of [
    [36, left],
    [42, right],
  ] as const) {
    // Six points around each.
    for (let i = 0; i < 6; i++) {
      const angle = (i * Math.PI) / 3;
      landmarks.set([x + 4 * Math.cos(angle), y + 3 * Math.sin(angle)], 2 * (first + i));
    }
  }
  return landmarks;
}

/** Where a place of the picture comes to lie in what is cut out, in shares of its side. */
function placeIn(frame: ReturnType<typeof frameAround>, { x, y }: Place): Place {
  const [cos, sin] = [Math.cos(frame.angle), Math.sin(frame.angle)];
  const [across, down] = [x - frame.x, y - frame.y];
  return { x: 0.5 + (across * cos + down * sin) / frame.width, y: 0.5 + (down * cos - across * sin) / frame.height };
}

const near = (a: Place, b: Place, most = 1e-4) => Math.hypot(a.x - b.x, a.y - b.y) <= most;
const wide = { width: 4000, height: 3000 };

t.test('by hand: level eyes', (t) => {
  const landmarks = landmarksWith({ x: 100, y: 150 }, { x: 180, y: 150 });
  t.ok(eyesOf(landmarks).every((eye, i) => near(eye, { x: 100 + 80 * i, y: 150 })));
  const plain = frameAround(landmarks, wide, { margin: 0, border: 'move' });
  t.match([plain.x, plain.y, plain.width, plain.height].map(Math.round), [140, 190, 200, 200]);
  t.ok(Math.abs(plain.angle) < 1e-6);
  const { x, y, width } = frameAround(landmarks, wide, { margin: 0.25, border: 'pad' });
  t.same([x, y, width].map(Math.round), [140, 190, 300], 'the margin lies around it');
  t.end();
});

t.test('the eyes come to lie at 0.3 and 0.7, 0.3, however the face is turned', (t) => {
  const place = fc.record({
    x: fc.double({ min: 1500, max: 2500, noNaN: true }),
    y: fc.double({ min: 1200, max: 1800, noNaN: true }),
  });
  fc.assert(
    fc.property(
      place,
      fc.double({ min: 20, max: 300, noNaN: true }),
      fc.double({ min: -Math.PI, max: Math.PI, noNaN: true }),
      fc.constantFrom(0, 0.1, 0.5),
      (left, apart, angle, margin) => {
        const right = { x: left.x + apart * Math.cos(angle), y: left.y + apart * Math.sin(angle) };
        for (const border of ['pad', 'move'] as const) {
          const frame = frameAround(landmarksWith(left, right), wide, { margin, border });
          const share = (at: number) => (at + margin) / (1 + 2 * margin);
          t.ok(near(placeIn(frame, left), { x: share(0.3), y: share(0.3) }, 1e-3), 'left');
          t.ok(near(placeIn(frame, right), { x: share(0.7), y: share(0.3) }, 1e-3), 'right');
        }
      },
    ),
    { seed: 5 },
  );
  t.end();
});

t.test('any eyes in any picture: a frame that can be cut out, inside of it with `move`', (t) => {
  const number = fc.double({ min: -300, max: 700, noNaN: true });
  const place = fc.record({ x: number, y: number });
  const sizes = fc.record({ width: fc.integer({ min: 1, max: 400 }), height: fc.integer({ min: 1, max: 400 }) });
  fc.assert(
    fc.property(place, place, sizes, fc.double({ min: 0, max: 4, noNaN: true }), (left, right, size, margin) => {
      const picture = rawPicture({ ...size, data: new Uint8Array(size.width * size.height), channels: 1 });
      const landmarks = landmarksWith(left, right);
      const inside = frameAround(landmarks, size, { margin, border: 'move' });
      const bounds = boundsOf(inside);
      t.ok(bounds.left > -1e-6 && bounds.top > -1e-6);
      t.ok(bounds.left + bounds.width < size.width + 1e-6 && bounds.top + bounds.height < size.height + 1e-6);
      for (const frame of [inside, frameAround(landmarks, size, { margin, border: 'pad' })]) {
        t.ok(Math.abs(frame.width / frame.height - 1) < 1e-9);
        const { width, height } = picture.cropTurned(frame);
        t.ok(width === height && width >= 1);
      }
    }),
    { seed: 6, numRuns: 300 },
  );
  t.end();
});

/** A face as a drawing: light, with two dark eyes as discs, drawn with soft edges from the distances themselves. */
function drawing(left: Place, right: Place, radius: number): Picture {
  const [width, height] = [420, 360];
  const data = new Uint8Array(width * height * 3);
  for (let y = 0, at = 0; y < height; y++) {
    for (let x = 0; x < width; x++, at += 3) {
      const far = Math.min(
        Math.hypot(x + 0.5 - left.x, y + 0.5 - left.y),
        Math.hypot(x + 0.5 - right.x, y + 0.5 - right.y),
      );
      data.fill(Math.round(220 * Math.min(1, Math.max(0, far - radius + 0.5))), at, at + 3);
    }
  }
  return rawPicture({ width, height, data, channels: 3 });
}

t.test('a drawn face that is turned comes back level: its eyes are within half a pixel of their places', async (t) => {
  for (const degrees of [-80, -30, -7, 0, 3, 25, 64, 170]) {
    const angle = (degrees * Math.PI) / 180;
    const left = { x: 205.3 - 35 * Math.cos(angle), y: 180.6 - 35 * Math.sin(angle) };
    const right = { x: 205.3 + 35 * Math.cos(angle), y: 180.6 + 35 * Math.sin(angle) };
    const frame = frameAround(landmarksWith(left, right), { width: 420, height: 360 }, { margin: 0.1, border: 'pad' });
    for (const side of [undefined, 100, 64]) {
      const turned = drawing(left, right, 9).cropTurned(frame, [220, 220, 220]);
      const seen = side === undefined ? turned : turned.resize({ width: side, height: side });
      const { width, height, data } = await renderPixels(seen);
      // The middle of the dark of each half.
      const eyes = [0, 1].map((half) => {
        let [weight, x, y] = [0, 0, 0];
        for (let row = 0; row < height; row++) {
          for (let column = half === 0 ? 0 : width >> 1; column < (half === 0 ? width >> 1 : width); column++) {
            const dark = Math.max(0, 200 - data[(row * width + column) * 3]!);
            weight += dark;
            x += dark * (column + 0.5);
            y += dark * (row + 0.5);
          }
        }
        return { x: x / weight, y: y / weight };
      });
      const places = [0.3, 0.7].map((share) => ({ x: ((share + 0.1) / 1.2) * width, y: (0.4 / 1.2) * height }));
      for (const [i, eye] of eyes.entries()) {
        t.ok(
          near(eye, places[i]!, 0.5),
          `${degrees}°, ${width} px: ${eye.x}, ${eye.y} for ${places[i]!.x}, ${places[i]!.y}`,
        );
      }
      t.ok(Math.abs(eyes[0]!.y - eyes[1]!.y) < 0.5, 'level');
    }
  }
});
