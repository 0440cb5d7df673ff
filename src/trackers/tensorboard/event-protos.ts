import { ProtoMessage } from '../../formats/proto.ts';

// Events as TensorBoard reads them, with the numbers of their fields. Sources: tensorflow/core/util/event.proto, tensorflow/core/framework/{summary,tensor,
// tensor_shape,types}.proto, google/protobuf/struct.proto, and tensorboard/plugins/hparams/plugin_data.proto.

/** When something was, and after how many steps. */
export interface EventTime {
  /** Seconds since 1970. */
  readonly seconds: number;
  readonly step: number;
}

function event({ seconds, step }: EventTime): ProtoMessage {
  return new ProtoMessage().double(1, seconds).int(2, step);
}

/** What a file begins with. */
export function versionEvent(seconds: number): ProtoMessage {
  return event({ seconds, step: 0 }).text(3, 'brain.Event:2');
}

/** A run begins or is resumed: readers forget what earlier files say of `step` and later ones. */
export function startEvent(time: EventTime): ProtoMessage {
  const started = 1;
  return event(time).message(7, new ProtoMessage().int(1, started));
}

/** Numbers by tag, as float32. */
export function scalarsEvent(time: EventTime, values: Readonly<Record<string, number>>): ProtoMessage {
  const summary = new ProtoMessage();
  for (const [tag, value] of Object.entries(values))
    summary.message(1, new ProtoMessage().text(1, tag).float(2, value));
  return event(time).message(5, summary);
}

/** A picture in a file format that browsers show. */
export interface EncodedPicture {
  readonly width: number;
  readonly height: number;
  readonly bytes: Uint8Array;
}

export function pictureEvent(time: EventTime, tag: string, { width, height, bytes }: EncodedPicture): ProtoMessage {
  const rgb = 3;
  const image = new ProtoMessage().int(1, height).int(2, width).int(3, rgb).bytes(4, bytes);
  return event(time).message(5, new ProtoMessage().message(1, new ProtoMessage().text(1, tag).message(4, image)));
}

/** The options of a run, for the table of the plugin HParams. */
export function hparamsEvent(
  time: EventTime,
  values: Readonly<Record<string, number | string | boolean>>,
): ProtoMessage {
  const info = new ProtoMessage();
  for (const [key, value] of Object.entries(values))
    info.message(1, new ProtoMessage().text(1, key).message(2, plainValue(value)));
  info.double(5, time.seconds);
  return hparamsSummary(time, '_hparams_/session_start_info', new ProtoMessage().message(3, info));
}

/** How a run has ended, for the same table. */
export function hparamsEndEvent(time: EventTime, succeeded: boolean): ProtoMessage {
  const [success, failure] = [1, 2];
  const info = new ProtoMessage().int(1, succeeded ? success : failure).double(2, time.seconds);
  return hparamsSummary(time, '_hparams_/session_end_info', new ProtoMessage().message(4, info));
}

function hparamsSummary(time: EventTime, tag: string, data: ProtoMessage): ProtoMessage {
  const plugin = new ProtoMessage().text(1, 'hparams').bytes(2, data.encoded());
  // Every value needs one: a float32 of one element, which nobody reads.
  const nothing = new ProtoMessage()
    .int(1, 1)
    .message(2, new ProtoMessage().message(2, new ProtoMessage().int(1, 1)))
    .bytes(4, new Uint8Array(4));
  const value = new ProtoMessage().text(1, tag).message(8, nothing).message(9, new ProtoMessage().message(1, plugin));
  return event(time).message(5, new ProtoMessage().message(1, value));
}

function plainValue(value: number | string | boolean): ProtoMessage {
  if (typeof value === 'number') return new ProtoMessage().double(2, value);
  return typeof value === 'string' ? new ProtoMessage().text(3, value) : new ProtoMessage().int(4, value ? 1 : 0);
}
