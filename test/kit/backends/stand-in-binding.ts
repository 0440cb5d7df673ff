import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Test } from 'tap';
import type { Output, TensorflowBackend } from '../../../src/backends/tensorflow/calls.ts';

/** What a session was asked for: the values that were handed over by the names of their placeholders, and the names of what is wanted. */
export interface Run {
  readonly given: Readonly<Record<string, number>>;
  readonly wanted: readonly string[];
}

interface Held {
  readonly shape: readonly number[];
  readonly dtype: number;
  readonly values: ArrayLike<number>;
}

/**
 * A backend of tfjs-node whose binding keeps count of its handles. Operations multiply the first values of their inputs and make scalars; `Fails` fails. A session gives back what `answers` makes of
 * what it is asked, and `loaded` are the folders that sessions came from. As in the real binding, its functions cannot be replaced.
 */
export function standInBinding(t: Test, answers: (run: Run) => readonly number[] = () => []) {
  const handles = new Map<number, Held>();
  const called: unknown[] = [];
  const loaded: string[] = [];
  const sessions = new Set<number>();
  let next = 0;
  const add = (shape: readonly number[], values: ArrayLike<number>, dtype = 1) => {
    handles.set(next, { shape, values, dtype });
    return next++;
  };
  const first = (id: number) => handles.get(id)!.values[0]!;
  const output = (value: number): Output => ({ id: add([], [value]), shape: [], dtype: 1 });
  const functions: TensorflowBackend['binding'] = {
    executeOp(name, attributes, inputs) {
      called.push([name, attributes]);
      if (name === 'Fails') throw new Error('no such operation');
      return [output(inputs.map(first).reduce((a, b) => a * b, 1))];
    },
    createTensor: (shape, dtype, values) => add(shape, Array.from(values), dtype),
    deleteTensor: (id) => void t.ok(handles.delete(id), 'freed once'),
    tensorDataSync: (id) => Float32Array.from(handles.get(id)!.values),
    loadSavedModel(folder) {
      t.ok(existsSync(join(folder, 'saved_model.pb')), 'there is a graph to be loaded');
      loaded.push(folder);
      sessions.add(loaded.length);
      return loaded.length;
    },
    runSavedModel(session, ids, inputs, outputs) {
      t.ok(sessions.has(session), 'the session is open');
      const names = inputs === '' ? [] : inputs.split(',');
      t.equal(names.length, ids.length, 'each placeholder is given a value');
      const given = Object.fromEntries(names.map((name, i) => [name.replace(':0', ''), first(ids[i]!)]));
      return answers({ given, wanted: outputs.split(',') }).map(output);
    },
    deleteSavedModel: (session) => void t.ok(sessions.delete(session), 'closed once'),
  };
  const binding = Object.freeze({ ...functions });
  const tensorMap = new Map<object, { id: number; shape: number[]; dtype: number }>();
  const backend: TensorflowBackend = {
    binding,
    tensorMap: {
      has: (dataId) => tensorMap.has(dataId),
      get: (dataId) => tensorMap.get(dataId)!,
      set: (dataId, data) => void tensorMap.set(dataId, data as { id: number; shape: number[]; dtype: number }),
    },
    getInputTensorIds: (tensors) => tensors.map(({ dataId }) => tensorMap.get(dataId)!.id),
  };
  /** A tensor that was there before. */
  const tensor = (value: number, shape: number[] = []) => {
    const dataId = {};
    tensorMap.set(dataId, { id: add(shape, [value]), shape, dtype: 1 });
    return { dataId, shape, dtype: 'float32' as const };
  };
  const free = ({ dataId }: { readonly dataId: object }) => {
    backend.binding.deleteTensor(tensorMap.get(dataId)!.id);
    tensorMap.delete(dataId);
  };
  const held = ({ dataId }: { readonly dataId: object }) => first(tensorMap.get(dataId)!.id);
  return { backend, binding, handles, called, loaded, sessions, tensor, free, held };
}
