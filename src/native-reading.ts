/** The functions of `native/image/addon.cc` that read by threads of their own, which may wait for disks. */
export interface ReadingAddon {
  /**
   * Comes before `read`, once: reading has threads of its own, which may wait for disks, one for each read that has begun. `ended` hears of reads as `open`'s
   * does of jobs: [id, size, or -1 where it must be read another way, 1 where it had nothing to wait for] of each. An id is in use until `takeRead`.
   */
  openReaders(ended: (outcomes: Int32Array, count: number) => void): void;
  /**
   * Starts a read for each id, of whole files and pieces of open ones. `places` has a descriptor, an offset and a length for each; of a whole file the descriptor
   * is -1, the length the most that it may have (less than 2³¹ − 1), and its path stands in `paths`.
   */
  read(ids: Int32Array, places: Float64Array, paths: readonly (string | undefined)[]): void;
  /** Copies what a read has brought into the room; without one it is thrown away. The id is free again. Whether it was copied. */
  takeRead(id: number, room?: Uint8Array): boolean;
  /** Nobody waits for the read any more, nor does the program. It ends as the others, if it does. */
  cancelRead(id: number): void;
  /** As `listen`, of reads. */
  listenReaders(): void;
}
