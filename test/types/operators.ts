import { filter, type MonoTypeOperatorFunction, map } from 'rxjs';
import { decode, imageFolder, operator, pipeline, resize } from '../../src/index.ts';

// An operator pasted from elsewhere, generic in its samples: the chain tells it what they are.
function everyOther<T>(): MonoTypeOperatorFunction<T> {
  return filter((_, i) => i % 2 === 0);
}

export async function pasted(): Promise<void> {
  const chain = pipeline(imageFolder('photos'), decode(), operator(everyOther()), resize(8));
  for await (const sample of chain.samples()) sample.picture.flip();
}

export async function inline(): Promise<void> {
  const chain = pipeline(
    imageFolder('photos'),
    decode(),
    operator(filter((sample) => sample.picture.width > 3)),
    operator(map((sample) => ({ ...sample, wide: sample.picture.width }))),
    resize(8),
  );
  for await (const sample of chain.samples()) sample.wide.toFixed();
  // @ts-expect-error nothing has decoded the picture
  pipeline(imageFolder('photos'), operator(filter((sample) => sample.picture.width > 3)));
}
