import { loadTensorflow, prepareTensorflow, tensorflowPackages } from '../../../src/backends/tensorflow.ts';
import { firstLine, messageOf } from '../../../src/errors.ts';

/** Why tests of the backend tensorflow cannot run, or false: an option of tap's tests. */
export const withoutTensorflow: string | false = await reason();

async function reason(): Promise<string | false> {
  try {
    await loadTensorflow(tensorflowPackages.cpu);
    return (await prepareTensorflow()) ? false : 'tensorflow does not start';
  } catch (cause) {
    return firstLine(messageOf(cause)).replace(/ imported from .*/, '');
  }
}
