import type { Supply } from '../../stages/stage.ts';
import type { GateState } from '../../streams/gate.ts';
import type { StageMeter } from '../../streams/meter.ts';
import type { Permits } from '../../streams/permits.ts';

/** What may come to a stage, by the meters of the source and of the stages in front of it, and by its own. An operator in front of it may hold samples unseen. */
export function supplyOf(
  permits: Permits,
  {
    gate,
    before,
    own,
    hidden,
  }: {
    readonly gate: GateState;
    readonly before: readonly StageMeter[];
    readonly own: StageMeter;
    readonly hidden: boolean;
  },
): Supply {
  const isIdle = ({ waiting, running }: StageMeter) => waiting === 0 && running === 0;
  return {
    isDry() {
      if (own.running >= own.concurrency) return true;
      return !hidden && own.waiting === 0 && (gate.isEmpty || permits.areOut) && before.every(isIdle);
    },
    onChange: (listener) => void permits.onShare(listener),
  };
}
