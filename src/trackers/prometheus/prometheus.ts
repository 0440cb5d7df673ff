import { z } from 'zod';
import { defineTracker } from '../define.ts';

/** Numbers of the run for a Prometheus that scrapes them. */
export const prometheus = defineTracker({
  name: 'prometheus',
  summary:
    'Serves the counts and measures of the run at http://127.0.0.1:port/metrics, for Prometheus to scrape, until the run ends.',
  options: z.strictObject({
    port: z.int().min(0).max(65_535).default(9464).describe('The port. 0 takes any that is free; the run says which.'),
  }),
  shorthand: 'port',
  open: async ({ port }, run) => (await import('./server.ts')).serveMetrics(port, run),
});
