/* What takes the time of a training step, by WebAssembly's vectors of four floats: the matrix product, ln P(x|z) of a
   Bernoulli, Adam's step. kernels.js has the same three in plain JavaScript. Compiled by playground.py:

   clang --target=wasm32 -O3 -msimd128 -nostdlib -fno-builtin -Wl,--no-entry -Wl,--import-memory -Wl,--strip-all ... */
#include <wasm_simd128.h>

#define EXPORT(name) __attribute__((export_name(#name)))
#define ROWS 4     /* of c that are computed at once, */
#define COLUMNS 8  /* by so many columns: 8 sums in registers */
#define DEPTH 512  /* of b that is packed at once */

typedef v128_t four;
#define ALL(x) wasm_f32x4_splat(x)
#define ADD wasm_f32x4_add
#define SUB wasm_f32x4_sub
#define MUL wasm_f32x4_mul

/* A tile of c: sums over the depth of rows of a, read by `step`, times columns of b, packed side by side. */
static void tile(int height, int width, int depth, const float *const rows[ROWS], int step, const float *b,
                 float *c, int n, int add) {
  four sums[ROWS][2];
  for (int r = 0; r < ROWS; r++) sums[r][0] = sums[r][1] = ALL(0);
  for (int p = 0; p < depth; p++, b += COLUMNS) {
    four left = wasm_v128_load(b), right = wasm_v128_load(b + 4);
#pragma unroll
    for (int r = 0; r < ROWS; r++) {
      four a = wasm_v128_load32_splat(rows[r] + p * step);
      sums[r][0] = ADD(sums[r][0], MUL(a, left));
      sums[r][1] = ADD(sums[r][1], MUL(a, right));
    }
  }
  for (int r = 0; r < height; r++) {
    float row[COLUMNS];
    wasm_v128_store(row, sums[r][0]);
    wasm_v128_store(row + 4, sums[r][1]);
    for (int j = 0; j < width; j++) c[r * n + j] = (add ? c[r * n + j] : 0) + row[j];
  }
}

/* c[m, n] = a[m, k] b[k, n], or c += it. The strides say how a and b lie in memory, so that either may be transposed. */
EXPORT(matmul)
void matmul(int m, int n, int k, const float *a, int a_row, int a_column, const float *b, int b_row, int b_column,
            float *c, int add) {
  float packed[DEPTH * COLUMNS];
  for (; k > DEPTH; k -= DEPTH, a += DEPTH * a_column, b += DEPTH * b_row, add = 1)
    matmul(m, n, DEPTH, a, a_row, a_column, b, b_row, b_column, c, add);
  for (int j = 0; j < n; j += COLUMNS) {
    int width = n - j < COLUMNS ? n - j : COLUMNS;
    for (int p = 0; p < k; p++)
      for (int q = 0; q < COLUMNS; q++) packed[p * COLUMNS + q] = q < width ? b[p * b_row + (j + q) * b_column] : 0;
    for (int i = 0; i < m; i += ROWS) {
      int height = m - i < ROWS ? m - i : ROWS;
      const float *rows[ROWS]; /* below the last row stands the first again, whose sums are left out */
      for (int r = 0; r < ROWS; r++) rows[r] = a + (i + (r < height ? r : 0)) * a_row;
      tile(height, width, k, rows, a_column, packed, c + i * n + j, n, add);
    }
  }
}

/* A polynomial, its coefficients from the highest power down. */
static inline four polynomial(four x, const float *coefficients, int count) {
  four y = ALL(coefficients[0]);
#pragma unroll
  for (int i = 1; i < count; i++) y = ADD(MUL(y, x), ALL(coefficients[i]));
  return y;
}

/* exp(x) for x <= 0: 2^k exp(r), |r| <= ln(2) / 2, and for exp(r) Taylor's series to r^7, right to a float's last bit. */
static inline four exponential(four x) {
  static const float series[] = {1.0f / 5040, 1.0f / 720, 1.0f / 120, 1.0f / 24, 1.0f / 6, 0.5f, 1, 1};
  x = wasm_f32x4_max(x, ALL(-87));
  four k = wasm_f32x4_nearest(MUL(x, ALL(1.44269504f)));
  four r = SUB(SUB(x, MUL(k, ALL(0.693359375f))), MUL(k, ALL(-2.12194440e-4f))); /* ln 2 in two parts */
  four power = wasm_i32x4_shl(wasm_i32x4_add(wasm_i32x4_trunc_sat_f32x4(k), wasm_i32x4_splat(127)), 23);
  return MUL(polynomial(r, series, 8), power);
}

/* ln(1 + e) for e in [0, 1]: 2 artanh(s), s = e / (2 + e) <= 1/3, by its series to s^13. */
static inline four log1p(four e) {
  static const float series[] = {2.0f / 13, 2.0f / 11, 2.0f / 9, 2.0f / 7, 2.0f / 5, 2.0f / 3, 2};
  four s = wasm_f32x4_div(e, ADD(e, ALL(2)));
  return MUL(polynomial(MUL(s, s), series, 7), s);
}

/* For each row of logits l and values x: the sum of x l - ln(1 + exp(l)), and its gradient by l, x - sigmoid(l).
   Columns: a multiple of four. */
EXPORT(bernoulli)
void bernoulli(int rows, int columns, const float *logits, const float *values, float *sums, float *gradient) {
  for (int r = 0; r < rows; r++) {
    four sum = ALL(0);
    for (int i = r * columns; i < (r + 1) * columns; i += 4) {
      four l = wasm_v128_load(logits + i), x = wasm_v128_load(values + i);
      four e = exponential(wasm_f32x4_neg(wasm_f32x4_abs(l)));
      four large = wasm_f32x4_div(ALL(1), ADD(ALL(1), e)); /* sigmoid(|l|) */
      four sigmoid = wasm_v128_bitselect(large, MUL(e, large), wasm_f32x4_gt(l, ALL(0)));
      sum = ADD(sum, SUB(MUL(x, l), ADD(wasm_f32x4_max(l, ALL(0)), log1p(e))));
      wasm_v128_store(gradient + i, SUB(x, sigmoid));
    }
    float parts[4];
    wasm_v128_store(parts, sum);
    sums[r] = parts[0] + parts[1] + parts[2] + parts[3];
  }
}

/* Adam's step on weights, its rate already corrected for the first steps; arrays are padded to a multiple of four. */
EXPORT(adam)
void adam(int size, float *weights, const float *gradient, float *first, float *second, float rate) {
  for (int i = 0; i < size; i += 4) {
    four g = wasm_v128_load(gradient + i), m = wasm_v128_load(first + i), v = wasm_v128_load(second + i);
    m = ADD(m, MUL(ALL(0.1f), SUB(g, m)));
    v = ADD(v, MUL(ALL(0.001f), SUB(MUL(g, g), v)));
    wasm_v128_store(first + i, m);
    wasm_v128_store(second + i, v);
    four step = wasm_f32x4_div(MUL(ALL(rate), m), ADD(wasm_f32x4_sqrt(v), ALL(1e-8f)));
    wasm_v128_store(weights + i, SUB(wasm_v128_load(weights + i), step));
  }
}
