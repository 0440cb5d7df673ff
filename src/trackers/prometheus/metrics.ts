import { Counter, Gauge, Registry } from 'prom-client';
import type { Progress, RunEvent, SampleCounts, Started, StepDone } from '../../events/events.ts';

type StepGauge = 'loss' | 'lr' | 'gradNorm' | 'epoch' | 'microBatch' | 'ringFill' | 'cores';

/** The numbers of a run, named as prometheus.io/docs/practices/naming asks: base units, `_total` for what only grows. */
export class RunMetrics {
  readonly #registry = new Registry();
  readonly #counters = {
    delivered: this.#counter(
      'samples_delivered',
      'Samples of the source that came through to the sink or the trainer.',
    ),
    failed: this.#counter('samples_failed', 'Samples that failed in a stage; quarantine.jsonl lists them.'),
    dropped: this.#counter('samples_dropped', 'Samples that a stage dropped.'),
    passedOver: this.#counter('names_passed_over', 'Names that the source has seen and does not read.'),
    records: this.#counter('records', 'Records that a job has written, where stages make several of a sample.'),
    steps: this.#counter('steps', 'Steps of the optimizer that this run has done.'),
    checkpoints: this.#counter('checkpoints', 'Checkpoints that this run has saved.'),
    notices: this.#counter('notices', 'Notices that the run has given.'),
  };
  /** What each counter has counted so far. */
  readonly #counted = new Map<string, number>();
  readonly #step: Readonly<Record<StepGauge, Gauge>> = {
    loss: this.#gauge('loss', 'The mean loss of the last step.'),
    lr: this.#gauge('learning_rate', 'The learning rate of the last step.'),
    gradNorm: this.#gauge('gradient_norm', 'The norm of the gradient of the last step.'),
    epoch: this.#gauge('epoch', 'Passes over the source at the last step.'),
    microBatch: this.#gauge('micro_batch_samples', 'Samples of one forward and backward pass.'),
    ringFill: this.#gauge('ring_fill_ratio', 'Rendered samples that lie ready, as a share of the ring.'),
    cores: this.#gauge('cores_busy', 'Cores that the process kept busy in the last step.'),
  };
  readonly #dataWait = this.#gauge('data_wait_seconds', 'Time of the last step in which the trainer had no data.');
  readonly #done = this.#gauge('done', 'Samples (of a job) or steps (of a training) that are done.');
  readonly #total = this.#gauge('expected', 'Samples or steps that there will be.');
  readonly #rate = this.#gauge('images_per_second', 'Images per second, of a training in the last step.');
  readonly #busy = this.#gauge('trainer_busy_ratio', 'The share of the time in which the trainer works.');
  readonly #queues = this.#gauge('queue_samples', 'Samples that wait in front of a stage.', ['stage']);
  readonly #evaluations = this.#gauge('evaluation', 'What the last evaluation has measured.', ['measure']);

  constructor({ name, kind, digest, training }: Started) {
    this.#gauge('run_info', 'The run.', ['name', 'kind', 'digest', 'backend', 'device']).set(
      { name, kind, digest, backend: training?.backend ?? '', device: training?.device ?? '' },
      1,
    );
    this.#memory();
  }

  hear(event: RunEvent): void {
    if (event.type === 'step') this.#hearStep(event);
    else if (event.type === 'progress') this.#hearProgress(event);
    else if (event.type === 'checkpoint') this.#counters.checkpoints.inc();
    else if (event.type === 'notice') this.#counters.notices.inc();
    else if (event.type === 'evaluation')
      for (const [measure, value] of Object.entries(event.numbers)) this.#evaluations.set({ measure }, value);
  }

  /** All of it in Prometheus' text format. */
  async page(): Promise<{ readonly type: string; readonly text: string }> {
    return { type: this.#registry.contentType, text: await this.#registry.metrics() };
  }

  #hearStep(event: StepDone): void {
    this.#counters.steps.inc();
    for (const [name, gauge] of Object.entries(this.#step)) gauge.set(event[name as StepGauge]);
    this.#dataWait.set(event.dataWaitMs / 1000);
    this.#rate.set(event.imagesPerSecond);
  }

  #hearProgress({
    done,
    ended = done,
    total,
    imagesPerSecond,
    balance,
    records,
    samples,
    queues,
    values,
  }: Progress): void {
    this.#done.set(ended);
    if (total !== undefined) this.#total.set(total);
    if (values === undefined) this.#rate.set(imagesPerSecond);
    if (balance) this.#busy.set(balance.busy);
    for (const [stage, count] of Object.entries(queues ?? {})) this.#queues.set({ stage }, count);
    for (const [end, count] of Object.entries(samples ?? {})) this.#grown(end as keyof SampleCounts, count);
    if (records !== undefined) this.#grown('records', records);
  }

  /** A counter stands at `count` now. */
  #grown(name: keyof SampleCounts | 'records', count: number): void {
    const more = count - (this.#counted.get(name) ?? 0);
    if (more <= 0) return;
    this.#counters[name].inc(more);
    this.#counted.set(name, count);
  }

  #counter(name: string, help: string): Counter {
    return new Counter({ name: `patchstream_${name}_total`, help, registers: [this.#registry] });
  }

  #gauge<Label extends string = never>(name: string, help: string, labelNames: readonly Label[] = []): Gauge<Label> {
    return new Gauge({ name: `patchstream_${name}`, help, labelNames, registers: [this.#registry] });
  }

  /** Read when it is asked for. */
  #memory(): void {
    new Gauge({
      name: 'process_resident_memory_bytes',
      help: 'Memory that the process takes.',
      registers: [this.#registry],
      collect() {
        this.set(process.memoryUsage.rss());
      },
    });
  }
}
