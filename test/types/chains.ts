/** Compiled, never run: what must and what must not compile. `test/all/use/chains.test.ts` shows that a wrong chain fails. */

import { map } from 'rxjs';
import { definePipeline, pipeline } from '../../src/runs/loader/define.ts';
import { drop } from '../../src/streams/sample.ts';
import { each, operator } from '../../src/streams/stage.ts';
import { decode, type Folder, folder, mask, windows } from './stages.ts';

type Equal<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
declare function same<A, B>(equal: Equal<A, B>): void;
type At<P> = P extends { readonly samples: () => AsyncIterable<infer S> }
  ? S
  : P extends { readonly types?: infer S }
    ? S
    : never;

const source = folder('./photos');

// The sample at the end has the fields of all stages.
const whole = pipeline(source, decode(), windows({ size: 5 }), mask());
same<At<typeof whole>['masks'], Uint8Array>(true);
same<At<typeof whole>['key'], string>(true);

// Functions inside `each` know the sample they get; what they return, they give.
const inline = pipeline(
  source,
  decode(),
  each((sample) => ({ ...sample, area: sample.picture.width * sample.picture.height })),
  each(async (sample) => (sample.area > 4 ? { ...sample, large: true } : drop('small'))),
  windows({ size: 5 }),
);
same<At<typeof inline>['area'], number>(true);
same<At<typeof inline>['large'], boolean>(true);

// An operator of rxjs stands in the chain like any stage.
pipeline(source, decode(), operator(map((sample: Folder) => sample)), windows({ size: 5 }));

// @ts-expect-error windows needs a picture, which decode gives
pipeline(source, windows({ size: 5 }), decode());

// @ts-expect-error mask needs windows
pipeline(source, decode(), mask());

pipeline(
  source,
  decode(),
  // @ts-expect-error the function reads a field that nobody gave
  each((sample) => ({ ...sample, far: sample.distance })),
);

// @ts-expect-error an option that does not exist
pipeline(source, decode(), windows({ siz: 5 }));

// @ts-expect-error a bare function is no stage
pipeline(source, decode(), (sample: Folder) => sample);

// The list of `definePipeline` is checked in the same way.
const listed = definePipeline({ source, stages: [decode(), windows({ size: 5 }), mask()], output: './runs/x' });
same<NonNullable<At<typeof listed>>['masks'], Uint8Array>(true);

// @ts-expect-error mask before windows
definePipeline({ source, stages: [decode(), mask(), windows({ size: 5 })] });

// @ts-expect-error a misspelt setting
definePipeline({ source, stages: [decode()], outptu: './runs/x' });

// In a list an unannotated function gets a Sample; spread from `pipeline` it knows more.
definePipeline({
  source,
  stages: [decode(), each((sample) => ({ ...sample, short: sample.key.slice(1) })), windows({ size: 5 })],
});
const spread = definePipeline({
  ...pipeline(
    source,
    decode(),
    each((sample) => ({ ...sample, w: sample.picture.width })),
  ),
  seed: 3,
});
same<NonNullable<At<typeof spread>>['w'], number>(true);

// Twelve stages are the most.
const same12 = [
  decode(),
  decode(),
  decode(),
  decode(),
  decode(),
  decode(),
  decode(),
  decode(),
  decode(),
  decode(),
] as const;
const long = pipeline(source, ...same12, windows({ size: 5 }), mask());
same<At<typeof long>['masks'], Uint8Array>(true);
// @ts-expect-error and in their order, too
pipeline(source, ...same12, mask(), windows({ size: 5 }));
