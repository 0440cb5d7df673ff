import t from 'tap';
import type { Bottleneck } from '../../../src/index.ts';
import { EventHub } from '../../../src/runs/events/hub.ts';
import { TrainingProgress } from '../../../src/runs/training/training-progress.ts';
import { coupled } from '../../kit/training/coupled.ts';
import { planted } from '../../kit/training/planted.ts';

t.test(
  'what sets the pace is judged by the permits that there are now, not by those that the pipeline began with',
  async (t) => {
    const [{ plan }] = Object.values(planted).filter(({ cause }) => cause === 'permits');
    const { rows, stats } = await coupled(plan!);
    const { batch, cores, trainer } = plan!;
    const explained = (permits: number) => {
      const events = new EventHub();
      const heard: Bottleneck[] = [];
      events.on('bottleneck', (event) => heard.push(event));
      const progress = new TrainingProgress(events, {
        training: { step: 0, total: rows.length, batch, onCores: trainer.onCores === true },
        facts: { cores },
        stats: () => stats,
        permits: () => permits,
        samples: () => undefined,
        costs: () => ({}),
      });
      for (const row of rows) events.emit({ ...row, type: 'step' });
      progress.stop();
      return { permits: heard.at(-1)!.permits, cause: heard.at(-1)!.explanation?.cause };
    };
    t.same(explained(plan!.permits), { permits: plan!.permits, cause: 'permits' });
    const { permits, cause } = explained(20 * plan!.permits);
    t.equal(permits, 20 * plan!.permits);
    t.not(cause, 'permits');
  },
);
