/** One thing that was looked at. */
export interface Finding {
  readonly what: string;
  readonly found: string;
  readonly ok: boolean;
  /** The command that mends it, or makes it faster. */
  readonly fix?: string;
}
