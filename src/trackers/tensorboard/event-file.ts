import { type FileHandle, open, readdir } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import type { ProtoMessage } from '../../formats/proto.ts';
import { makeFolder } from '../../whole-file.ts';
import { tfRecord } from './records.ts';

/** Bytes, and milliseconds, after which what was gathered is written. */
const flushing = { bytes: 1 << 16, ms: 2000 };

/** A file of events that TensorBoard reads while it grows. */
export class EventFile {
  readonly #file: FileHandle;
  readonly #now: () => number;
  #gathered: Uint8Array[] = [];
  #bytes = 0;
  #written: number;

  private constructor(file: FileHandle, now: () => number) {
    this.#file = file;
    this.#now = now;
    this.#written = now();
  }

  /** Makes a new file in a folder. Readers go by the order of names: it is the last of them. @param now milliseconds since 1970. */
  static async create(folder: string, now: () => number = Date.now): Promise<EventFile> {
    await makeFolder(folder);
    const earlier = (await readdir(folder)).map((name) => Number(/\.tfevents\.(\d+)\./.exec(name)?.[1] ?? 0));
    const seconds = Math.max(Math.floor(now() / 1000), ...earlier.map((second) => second + 1));
    const host = hostname().replace(/[^\w.-]+/g, '-');
    const name = `events.out.tfevents.${String(seconds).padStart(10, '0')}.${host}.${process.pid}.0`;
    return new EventFile(await open(join(folder, name), 'ax'), now);
  }

  async add(...events: readonly ProtoMessage[]): Promise<void> {
    for (const event of events) {
      const record = tfRecord(event.encoded());
      this.#gathered.push(record);
      this.#bytes += record.length;
    }
    if (this.#bytes >= flushing.bytes || this.#now() - this.#written >= flushing.ms) await this.flush();
  }

  async flush(): Promise<void> {
    const bytes = Buffer.concat(this.#gathered);
    this.#gathered = [];
    this.#bytes = 0;
    this.#written = this.#now();
    if (bytes.length > 0) await this.#file.appendFile(bytes);
  }

  async close(): Promise<void> {
    try {
      await this.flush();
    } finally {
      await this.#file.close();
    }
  }
}
