import type { Product } from './nearest.ts';

/**
 * A product on the backend that this machine is fastest with. tfjs is loaded now: half a second, worth it for many vectors only.
 *
 * @param columns float32 [D, count]; they stay on the backend until `close`.
 */
export async function backendProduct(
  columns: Float32Array,
  count: number,
): Promise<Product & { readonly backend: string; close(): void }> {
  const [{ chooseBackend }, { upload }, tf, { TorchBackend }] = await Promise.all([
    import('../../backends/choose.ts'),
    import('../../backends/upload.ts'),
    import('../../backends/tf.ts'),
    import('../../backends/torch/torch.ts'),
  ]);
  const { backend, device } = await chooseBackend();
  const width = columns.length / count;
  const right = upload({ dtype: 'float32', shape: [width, count], data: columns }) as ReturnType<typeof tf.tensor2d>;
  // Of sums in float32, in any order: a rounding for each term, and those of the columns. TensorFlow may multiply with ten bits on a GPU.
  const digits = backend === 'tensorflow' && device !== 'cpu' ? 10 : 24;
  const current = tf.backend();
  // On the cpu rows need not be copied to be multiplied, nor products to be looked at.
  if (current instanceof TorchBackend && device === 'cpu' && current.ownKernels) {
    const columns = current.handleOf(right);
    let [products, lengths] = [new Float32Array(0), new Float32Array(0)];
    return {
      backend: 'torch on cpu',
      error: 2 ** -24 * (width + 16),
      async multiply(rows, n) {
        if (lengths.length !== n) [products, lengths] = [new Float32Array(n * count), new Float32Array(n)];
        current.addon.multiplyRows(rows, columns, products, lengths);
        return { products, lengths };
      },
      close: () => right.dispose(),
    };
  }
  return {
    backend: `${backend} on ${device}`,
    error: 2 ** -digits * (width + 16),
    async multiply(rows, n) {
      const made = tf.tidy(() => {
        const left = upload({ dtype: 'float32', shape: [n, width], data: rows }) as typeof right;
        return [tf.matMul(left, right), left.square().sum(1).sqrt()] as const;
      });
      try {
        const [products, lengths] = (await Promise.all(made.map((x) => x.data()))) as Float32Array[];
        return { products: products!, lengths: lengths! };
      } finally {
        tf.dispose(made as unknown as (typeof made)[number][]);
      }
    },
    close: () => right.dispose(),
  };
}
