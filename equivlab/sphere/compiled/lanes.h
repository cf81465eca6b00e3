/* Vectors whose lanes hold different signals: small matrices times them, and the way in and out. */

#ifndef EQUIVLAB_LANES
#define EQUIVLAB_LANES

#include <stddef.h>

#ifndef VB
#define VB 64 /* bytes of a vector */
#endif
#define LANES (VB / 4)
#define TILE 6 /* rows of a product that are kept in registers, of two vectors each */

typedef ptrdiff_t Long;
typedef float Vector __attribute__((vector_size(VB)));
typedef float Loose __attribute__((vector_size(VB), aligned(4)));
#define LOAD(p) ((Vector) * (const Loose *)(p))
#define STORE(p, v) (*(Loose *)(p) = (Loose)(v))
#define INLINE static inline __attribute__((always_inline))

static Long least(Long a, Long b) { return a < b ? a : b; }

/* A matrix of numbers W[row][k], or of vectors, by its first one and its steps. */
typedef struct {
    const float *at;
    Long row, column;
} Matrix;

/* Y[m][c] = sum over k of W[m][k] · X[k][c], for M rows and N columns; `more` adds to Y. */
INLINE void tile(const Long M, const Long N, Matrix W, Matrix X, float *Y, Long row, Long column, Long depth, int more) {
    Vector sum[TILE][2];
    for (Long m = 0; m < M; m++)
        for (Long c = 0; c < N; c++) sum[m][c] = more ? LOAD(Y + m * row + c * column) : (Vector){0};
    for (Long k = 0; k < depth; k++) {
        Vector x[2];
        for (Long c = 0; c < N; c++) x[c] = LOAD(X.at + k * X.row + c * X.column);
        for (Long m = 0; m < M; m++) {
            const float w = W.at[m * W.row + k * W.column];
            for (Long c = 0; c < N; c++) sum[m][c] += w * x[c];
        }
    }
    for (Long m = 0; m < M; m++)
        for (Long c = 0; c < N; c++) STORE(Y + m * row + c * column, sum[m][c]);
}

INLINE void strip(const Long M, Long columns, Matrix W, Matrix X, float *Y, Long row, Long column, Long depth, int more) {
    for (; columns >= 2; columns -= 2, X.at += 2 * X.column, Y += 2 * column)
        tile(M, 2, W, X, Y, row, column, depth, more);
    if (columns) tile(M, 1, W, X, Y, row, column, depth, more);
}

static void product(Long rows, Long columns, Matrix W, Matrix X, float *Y, Long row, Long column, Long depth, int more) {
    for (; rows >= TILE; rows -= TILE, W.at += TILE * W.row, Y += TILE * row)
        strip(TILE, columns, W, X, Y, row, column, depth, more);
    switch (rows) {
    case 5: strip(5, columns, W, X, Y, row, column, depth, more); break;
    case 4: strip(4, columns, W, X, Y, row, column, depth, more); break;
    case 3: strip(3, columns, W, X, Y, row, column, depth, more); break;
    case 2: strip(2, columns, W, X, Y, row, column, depth, more); break;
    case 1: strip(1, columns, W, X, Y, row, column, depth, more); break;
    }
}

#if VB == 64
#define ZIPPED(a, b, at) __builtin_shufflevector(a, b, at, at + 16, at + 1, at + 17, at + 2, at + 18, at + 3, at + 19, \
    at + 4, at + 20, at + 5, at + 21, at + 6, at + 22, at + 7, at + 23)
#elif VB == 32
#define ZIPPED(a, b, at) __builtin_shufflevector(a, b, at, at + 8, at + 1, at + 9, at + 2, at + 10, at + 3, at + 11)
#else
#define ZIPPED(a, b, at) __builtin_shufflevector(a, b, at, at + 4, at + 1, at + 5)
#endif

/* Rows to columns: each zip of one half of the rows with the other turns the bits of a place by one. */
INLINE void transpose(Vector *v) {
    for (Long step = 1; step < LANES; step *= 2) {
        Vector w[LANES];
        for (Long k = 0; k < LANES / 2; k++) {
            w[2 * k] = ZIPPED(v[k], v[k + LANES / 2], 0);
            w[2 * k + 1] = ZIPPED(v[k], v[k + LANES / 2], LANES / 2);
        }
        for (Long k = 0; k < LANES; k++) v[k] = w[k];
    }
}

/* `count` numbers of each signal into the lanes, the signals `step` apart; the last of `signals`
   fills the lanes that are left. */
static void into_lanes(const float *x, Long step, Long signals, Long count, float *to) {
    Long i = 0;
    for (; i + LANES <= count; i += LANES) {
        Vector v[LANES];
        for (Long s = 0; s < LANES; s++) v[s] = LOAD(x + least(s, signals - 1) * step + i);
        transpose(v);
        for (Long s = 0; s < LANES; s++) STORE(to + (i + s) * LANES, v[s]);
    }
    for (; i < count; i++)
        for (Long s = 0; s < LANES; s++) to[i * LANES + s] = x[least(s, signals - 1) * step + i];
}

static void out_of_lanes(const float *from, Long step, Long signals, Long count, float *x) {
    Long i = 0;
    for (; i + LANES <= count; i += LANES) {
        Vector v[LANES];
        for (Long s = 0; s < LANES; s++) v[s] = LOAD(from + (i + s) * LANES);
        transpose(v);
        for (Long s = 0; s < signals; s++) STORE(x + s * step + i, v[s]);
    }
    for (; i < count; i++)
        for (Long s = 0; s < signals; s++) x[s * step + i] = from[i * LANES + s];
}

#endif
