import { type Message, readMessage } from '../proto.ts';

/**
 * Reads TensorBoard's files of events, by a schema that is written as in the .proto files of TensorFlow and TensorBoard. Shares nothing with what writes them.
 */
const schemas = {
  Event: '1 wall_time double; 2 step int64; 3 file_version string; 5 summary Summary; 7 session_log SessionLog',
  SessionLog: '1 status enum; 2 checkpoint_path string; 3 msg string',
  Summary: '1 value *Value',
  Value: '1 tag string; 2 simple_value float; 4 image Image; 8 tensor TensorProto; 9 metadata SummaryMetadata',
  Image: '1 height int64; 2 width int64; 3 colorspace int64; 4 encoded_image_string bytes',
  SummaryMetadata: '1 plugin_data PluginData; 2 display_name string; 3 summary_description string',
  PluginData: '1 plugin_name string; 2 content HParamsPluginData',
  TensorProto: '1 dtype enum; 2 tensor_shape TensorShapeProto; 4 tensor_content bytes',
  TensorShapeProto: '2 dim *Dim',
  Dim: '1 size int64; 2 name string',
  HParamsPluginData: '1 version int64; 3 session_start_info SessionStartInfo; 4 session_end_info SessionEndInfo',
  SessionStartInfo: '1 hparams *Entry; 4 group_name string; 5 start_time_secs double',
  SessionEndInfo: '1 status enum; 2 end_time_secs double',
  Entry: '1 key string; 2 value PlainValue',
  PlainValue: '2 number_value double; 3 string_value string; 4 bool_value bool',
} as const;

/** An event as its .proto names it. */
export interface TfEvent {
  readonly wall_time: number;
  readonly step?: number;
  readonly file_version?: string;
  readonly session_log?: { readonly status: number };
  readonly summary?: { readonly value: readonly TfValue[] };
}

export interface TfValue {
  readonly tag: string;
  readonly simple_value?: number;
  readonly image?: {
    readonly width: number;
    readonly height: number;
    readonly colorspace: number;
    readonly encoded_image_string: Uint8Array;
  };
  readonly metadata?: { readonly plugin_data: { readonly plugin_name: string; readonly content: Message } };
}

/** The events of a file. Throws where a length or checksum is wrong, where a field is none of its message, and where something is cut. */
export function readEvents(file: Uint8Array): TfEvent[] {
  const view = new DataView(file.buffer, file.byteOffset, file.length);
  const events: TfEvent[] = [];
  for (let at = 0; at < file.length; ) {
    const length = Number(view.getBigUint64(at, true));
    const bytes = file.subarray(at + 12, at + 12 + length);
    const sums = [view.getUint32(at + 8, true), view.getUint32(at + 12 + length, true)];
    const found = [file.subarray(at, at + 8), bytes].map((part) => maskOf(checksum(part)));
    if (String(sums) !== String(found)) throw new Error(`checksums at ${at}: ${sums}, not ${found}`);
    events.push(readMessage(schemas, 'Event', bytes) as unknown as TfEvent);
    at += 16 + length;
  }
  return events;
}

/** CRC-32C by its definition: the remainder of a polynomial division, bit by bit, of reflected bytes. */
export function checksum(bytes: Uint8Array): number {
  const reflected = (value: bigint, bits: number) =>
    BigInt(`0b${value.toString(2).padStart(bits, '0').split('').reverse().join('')}`);
  const polynomial = 0x11edc6f41n;
  let remainder = 0xffffffffn;
  for (const byte of bytes) {
    remainder ^= reflected(BigInt(byte), 8) << 24n;
    for (let bit = 0; bit < 8; bit++) {
      remainder <<= 1n;
      if (remainder >> 32n) remainder ^= polynomial;
    }
  }
  return Number(reflected(remainder ^ 0xffffffffn, 32));
}

const maskOf = (crc: number) =>
  Number(((BigInt(crc >>> 15) | ((BigInt(crc) << 17n) & 0xffffffffn)) + 0xa282ead8n) & 0xffffffffn);
