/* The three kernels that take a training step's time: in WebAssembly (kernels.c), and the same in plain JavaScript, for
 * browsers without it, and in double precision for tests. Arrays come from zeros(), of reserve()d room. */

/** From the base64 of kernels.wasm. Throws where there is no WebAssembly with SIMD. */
export function wasmKernels(base64) {
  const bytes = Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
  const module = new WebAssembly.Module(bytes); // at once, which browsers allow in a worker
  let [wasm, memory, top] = [];
  const at = (array) => array.byteOffset;
  return {
    name: "WebAssembly",
    /** Makes memory for so many arrays of so many numbers in all, as one that grows would lose its views. */
    reserve(arrays, numbers) {
      const pages = Math.ceil((4 * numbers + 32 * arrays) / 65536) + 2; // two for the stack and static arrays
      memory = new WebAssembly.Memory({ initial: pages });
      wasm = new WebAssembly.Instance(module, { env: { memory } }).exports;
      top = wasm.__heap_base.value;
    },
    zeros(size) {
      const place = (top + 15) & ~15;
      top = place + 4 * ((size + 3) & ~3);
      return new Float32Array(memory.buffer, place, size);
    },
    matmul(m, n, k, a, aRow, aColumn, b, bRow, bColumn, c, add) {
      wasm.matmul(m, n, k, at(a), aRow, aColumn, at(b), bRow, bColumn, at(c), add);
    },
    bernoulli(rows, columns, logits, values, sums, gradient) {
      wasm.bernoulli(rows, columns, at(logits), at(values), at(sums), at(gradient));
    },
    adam(weights, gradient, first, second, rate) {
      wasm.adam(weights.length, at(weights), at(gradient), at(first), at(second), rate);
    },
  };
}

/** The same on plain arrays; Type may be Float64Array. */
export function plainKernels(Type = Float32Array) {
  return {
    name: "JavaScript",
    reserve() {},
    zeros: (size) => new Type(size),
    matmul(m, n, k, a, aRow, aColumn, b, bRow, bColumn, c, add) {
      if (!add) c.fill(0, 0, m * n);
      const ordered = bColumn === 1; // then each row of c gathers rows of b, else each place takes a product
      for (let i = 0; i < m; i++)
        for (let p = 0; ordered && p < k; p++) {
          const [factor, from, to] = [a[i * aRow + p * aColumn], p * bRow, i * n];
          if (factor !== 0) for (let j = 0; j < n; j++) c[to + j] += factor * b[from + j]; // 0 as on empty paper
        }
      for (let i = 0; i < m; i++)
        for (let j = 0; !ordered && j < n; j++) {
          let sum = 0;
          for (let p = 0; p < k; p++) sum += a[i * aRow + p * aColumn] * b[p * bRow + j * bColumn];
          c[i * n + j] += sum;
        }
    },
    bernoulli(rows, columns, logits, values, sums, gradient) {
      for (let r = 0; r < rows; r++) {
        sums[r] = 0;
        for (let i = r * columns; i < (r + 1) * columns; i++) {
          const [l, x, e] = [logits[i], values[i], Math.exp(-Math.abs(logits[i]))];
          sums[r] += x * l - Math.max(l, 0) - Math.log1p(e);
          gradient[i] = x - (l > 0 ? 1 : e) / (1 + e);
        }
      }
    },
    adam(weights, gradient, first, second, rate) {
      for (let i = 0; i < weights.length; i++) {
        first[i] += 0.1 * (gradient[i] - first[i]);
        second[i] += 0.001 * (gradient[i] ** 2 - second[i]);
        weights[i] -= (rate * first[i]) / (Math.sqrt(second[i]) + 1e-8);
      }
    },
  };
}
