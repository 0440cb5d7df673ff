import * as tf from './tf.ts';

/** Tensors that a model needs in every step and that never change, made once per backend and kept until `dispose`. */
export class Constants {
  readonly #kept = new Map<string, tf.Tensor>();

  /** The constant `name` on the current backend; `make` is called the first time. It is not the caller's to dispose. */
  get(name: string, make: () => tf.Tensor): tf.Tensor {
    const key = `${tf.getBackend()}:${name}`;
    let constant = this.#kept.get(key);
    if (constant === undefined) {
      constant = tf.keep(tf.tidy(make));
      this.#kept.set(key, constant);
    }
    return constant;
  }

  /** Frees all of them. A later `get` makes them again. */
  dispose(): void {
    for (const constant of this.#kept.values()) constant.dispose();
    this.#kept.clear();
  }
}
