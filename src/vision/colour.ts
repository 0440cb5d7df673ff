import { z } from 'zod';

const part = z.int().min(0).max(255);

/** A colour as users write it: red, green, blue. */
export const colourOption = z.tuple([part, part, part]);

/** What a picture with transparent parts is laid on. */
export const backgroundOption = colourOption
  .default([255, 255, 255])
  .describe('What a picture with transparent parts is laid on: red, green, blue, 0 to 255.');
