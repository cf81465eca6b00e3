/* The gradient to the weights: products of panels of the input with panels of the gradient. */

#ifndef EQUIVLAB_GRADIENT
#define EQUIVLAB_GRADIENT

#include "panels.h"

/* The sum of the numbers in a vector, by halves. */
INLINE float total(Vector v) {
    typedef float Four __attribute__((vector_size(16)));
#if VB == 64
    typedef float Half __attribute__((vector_size(32)));
    const Half h = __builtin_shufflevector(v, v, 0, 1, 2, 3, 4, 5, 6, 7) +
                   __builtin_shufflevector(v, v, 8, 9, 10, 11, 12, 13, 14, 15);
    const Four f = __builtin_shufflevector(h, h, 0, 1, 2, 3) + __builtin_shufflevector(h, h, 4, 5, 6, 7);
#elif VB == 32
    const Four f = __builtin_shufflevector(v, v, 0, 1, 2, 3) + __builtin_shufflevector(v, v, 4, 5, 6, 7);
#else
    const Four f = v;
#endif
    return (f[0] + f[1]) + (f[2] + f[3]);
}

/* One tile: D[m][k] += sum over pixels of A[m][pixel] · B[k][pixel]. */
INLINE void tile(
    const Long M, const Long K, const float *A, Long a_step, const float *B, Long b_step, float *D, Long d_step,
    Long width) {
    Vector sum[GM][GK];
    for (Long m = 0; m < M; m++)
        for (Long k = 0; k < K; k++) sum[m][k] = (Vector){0};
    for (Long x = 0; x < width; x += LANES) {
        Vector a[GM];
        for (Long m = 0; m < M; m++) a[m] = LOAD(A + m * a_step + x);
        for (Long k = 0; k < K; k++) {
            const Vector b = LOAD(B + k * b_step + x);
            for (Long m = 0; m < M; m++) sum[m][k] += a[m] * b;
        }
    }
    for (Long m = 0; m < M; m++)
        for (Long k = 0; k < K; k++) D[m * d_step + k] += total(sum[m][k]);
}

/* M rows, all columns: whole tiles, a half one, single columns. */
INLINE void strip(
    const Long M, const float *A, Long a_step, const float *B, Long b_step, float *D, Long d_step, Long columns,
    Long width) {
    Long k = 0;
    for (; k + GK <= columns; k += GK) tile(M, GK, A, a_step, B + k * b_step, b_step, D + k, d_step, width);
    for (; k + GK / 2 <= columns; k += GK / 2) tile(M, GK / 2, A, a_step, B + k * b_step, b_step, D + k, d_step, width);
    for (; k < columns; k++) tile(M, 1, A, a_step, B + k * b_step, b_step, D + k, d_step, width);
}

static void correlate(
    const float *A, Long a_step, const float *B, Long b_step, float *D, Long d_step, Long rows, Long columns,
    Long width) {
    for (; rows >= GM; rows -= GM, A += GM * a_step, D += GM * d_step)
        strip(GM, A, a_step, B, b_step, D, d_step, columns, width);
    if (rows == 3) strip(3, A, a_step, B, b_step, D, d_step, columns, width);
    if (rows == 2) strip(2, A, a_step, B, b_step, D, d_step, columns, width);
    if (rows == 1) strip(1, A, a_step, B, b_step, D, d_step, columns, width);
}

/* The gradient of a task's output, as coefficients G[j][o][pixels] on the lines of the input's
   phases; zeros where the output has no pixel. `map` is a line's worth of room for each orientation. */
INLINE void spread(
    Long group, const Problem *p, const Cut *c, const Task *t, const float *gradient, Long step, float *G,
    float *map) {
    const Long area = p->rows * p->columns, width = round_up(c->line, LANES);
    memset(G, 0, sizeof(float) * coefficients_of(group) * p->out * step);
    memset(map, 0, sizeof(float) * group * width);
    Long maps[8];
    for (Long o = 0; o < p->out; o++) {
        maps_of(p, o, maps);
        for (Long n = 0; n < t->images; n++)
            for (Long y = 0; y < t->height; y++) {
                const float *row = gradient + (t->image + n) * p->out * group * area + (t->first + y) * p->columns;
                for (Long h = 0; h < group; h++) copy(map + h * width, row + maps[h] * area, p->columns);
                /* The last vector of a line may reach into the next one, which is written after it. */
                float *to = G + o * step + (n * c->lines + y) * c->line;
                for (Long x = 0; x < p->columns; x += LANES) {
                    Vector a[8], r[8];
                    for (Long h = 0; h < group; h++) a[h] = LOAD(map + h * width + x);
                    to_irreps(group, a, r);
                    for (Long j = 0; j < coefficients_of(group); j++) STORE(to + j * p->out * step + x, r[j]);
                }
            }
    }
}

/* How much is summed at once: pixels, so that the gradient's coefficients of them fill half a
   megabyte, and fields, so that their gathered taps do. */
typedef struct {
    Long pixels, fields, step;
} Chunk;

static Chunk chunk_of(const Problem *p, const Cut *c) {
    Chunk chunk;
    const Long all = round_up(((c->stack - 1) * c->lines + c->band - 1) * c->line + p->columns, LANES);
    const Long wanted = least(most(131072 / (coefficients_of(p->group) * p->out), 256), BLOCK);
    const Long count = (all + wanted - 1) / wanted;
    chunk.pixels = round_up((all + count - 1) / count, LANES);
    chunk.fields = most(least(98304 / (coefficients_of(p->group) * p->count * chunk.pixels), p->in), 1);
    chunk.step = round_up(c->stack * c->lines * c->line, LANES) + chunk.pixels + LANES;
    return chunk;
}

static Long sums_of(const Problem *p) {
    return coefficients_of(p->group) * p->out * p->in * p->count;
}

static Long gradient_room(const Problem *p) {
    const Cut c = gradient_cut(p);
    const Chunk chunk = chunk_of(p, &c);
    const Long gathered = chunk.fields * p->count * chunk.pixels, spread = p->out * chunk.step;
    const Long padded = round_up(c.plane * p->sheets * p->in, 16), map = p->group * round_up(c.line, LANES);
    return round_up(padded + coefficients_of(p->group) * (gathered + spread) + map, 16);
}

/* Add what the tasks begin…end give to the gradients of the matrices, [one][out][depth] and
   [2·out][2·depth]. */
INLINE void weight_gradient(
    Long group, const Problem *p, const float *x, const float *gradient, float *sums, float *scratch,
    Long begin, Long end) {
    const Cut c = gradient_cut(p);
    const Chunk chunk = chunk_of(p, &c);
    const Long taps = p->count, depth = p->in * taps;
    const Long one = ones_of(group), rows = rows_of(group), count = coefficients_of(group);
    const Long step = chunk.step;
    float *twos = sums + one * p->out * depth;
    Long offsets[8 * 121];
    float *padded = scratch, *P = padded + round_up(c.plane * p->sheets * p->in, 16);
    float *G = P + count * chunk.fields * taps * chunk.pixels, *map = G + count * p->out * step;
    offsets_of(p, &c, offsets);
    for (Long number = begin; number < end; number++) {
        const Task task = task_of(p, &c, number);
        pad_band(p, &c, &task, x, padded);
        spread(group, p, &c, &task, gradient, step, G, map);
        for (Long first = 0; first < task.pixels; first += chunk.pixels) {
            const Long width = round_up(least(chunk.pixels, task.pixels - first), LANES);
            for (Long field = 0; field < p->in; field += chunk.fields) {
                const Long fields = least(chunk.fields, p->in - field), part = fields * taps;
                gather(group, padded + field * p->sheets * c.plane, p->sheets * c.plane, offsets, fields, taps, first, width, P);
                for (Long j = 0; j < one; j++)
                    correlate(G + partner_of(group, j) * p->out * step + first, step, P + j * part * width, width,
                              sums + j * p->out * depth + field * taps, depth, p->out, part, width);
                for (Long a = 0; a < rows; a++)
                    for (Long e = 0; e < 2; e++)
                        correlate(G + (one + 2 * a) * p->out * step + first, step,
                                  P + (one + 2 * a + e) * part * width, width,
                                  twos + e * depth + field * taps, 2 * depth, 2 * p->out, part, width);
            }
        }
    }
}

#endif
