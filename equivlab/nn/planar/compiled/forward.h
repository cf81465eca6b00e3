/* The convolution itself: products of the weights with panels of pixels; see `kernel.c`. */

#ifndef EQUIVLAB_FORWARD
#define EQUIVLAB_FORWARD

#include "panels.h"

#define QUARTET 4 /* rows of a matrix that lie together: [rows/4][depth][4] */

static Long matrices_of(const Problem *p) {
    const Long depth = p->in * p->count;
    const Long twos = rows_of(p->group) ? 2 * round_up(2 * p->out, QUARTET) : 0;
    return depth * (ones_of(p->group) * round_up(p->out, QUARTET) + twos);
}

/* Y[M][NR] = weights · P[depth][NR], for M rows of the matrix: one quartet, or two. */
INLINE void tile_product(const Long M, const float *weights, const float *P, float *Y, Long depth) {
    Vector sum[2 * QUARTET][NV];
    for (Long i = 0; i < M; i++)
        for (Long v = 0; v < NV; v++) sum[i][v] = (Vector){0};
    for (Long k = 0; k < depth; k++) {
        Vector row[NV];
        for (Long v = 0; v < NV; v++) row[v] = LOAD(P + k * NR + LANES * v);
        const float *w = weights + k * QUARTET;
#pragma GCC unroll 8
        for (Long i = 0; i < M; i++)
            for (Long v = 0; v < NV; v++)
                sum[i][v] += w[i / QUARTET * depth * QUARTET + i % QUARTET] * row[v];
    }
    for (Long i = 0; i < M; i++)
        for (Long v = 0; v < NV; v++) STORE(Y + i * NR + LANES * v, sum[i][v]);
}

static void product(const float *weights, const float *P, float *Y, Long rows, Long depth) {
    Long m = 0;
    for (; m + MR <= rows; m += MR) tile_product(MR, weights + m * depth, P, Y + m * NR, depth);
    for (; m < rows; m += QUARTET) tile_product(QUARTET, weights + m * depth, P, Y + m * NR, depth);
}

/* Where the pixels of a panel go in a map of the output: as whole vectors (`whole[v]`, or -1), or in
   pieces, where a line ends or the padding's pixels are to be left out. */
typedef struct {
    Long from, to, count;
} Piece;
typedef struct {
    Long whole[NV], count;
    Piece pieces[NR];
} Way;

static void way_of(const Problem *p, const Cut *c, const Task *t, Long first, Long last, Way *way) {
    const Long image = p->out * p->group * p->rows * p->columns;
    way->count = 0;
    for (Long v = 0; v < NV; v++) {
        const Long begin = first + v * LANES, stop = least(begin + LANES, last);
        way->whole[v] = -1;
        for (Long f = begin; f < stop;) {
            const Long line = f / c->line, x = f - line * c->line, end = least((line + 1) * c->line, stop);
            const Long n = line / c->lines, y = line - n * c->lines, count = least(end - f, p->columns - x);
            const Long to = n * image + y * p->columns + x;
            if (y < t->height && count == LANES)
                way->whole[v] = to;
            else if (y < t->height && count > 0)
                way->pieces[way->count++] = (Piece){f - first, to, count};
            f = end;
        }
    }
}

static Long forward_room(const Problem *p) {
    const Cut c = forward_cut(p);
    const Long depth = p->in * p->count;
    const Long products = ones_of(p->group) * round_up(p->out, QUARTET) + rows_of(p->group) * round_up(2 * p->out, QUARTET);
    const Long padded = round_up(c.plane * p->sheets * p->in, 16);
    return round_up(padded + (coefficients_of(p->group) * depth + products + p->group) * NR, 16);
}

/* Butterfly back, bias, and out of the panel into the maps. */
INLINE void finish(
    Long group, const Problem *p, const float *Y, const float *bias, int relu, float *turned,
    const Way *way, float *band) {
    const Long one = ones_of(group), rows = rows_of(group);
    const Long rows1 = round_up(p->out, QUARTET), rows2 = round_up(2 * p->out, QUARTET);
    const Long area = p->rows * p->columns;
    for (Long o = 0; o < p->out; o++) {
        const float shift = bias ? bias[o / p->copies] : 0.0f;
        Long maps[8];
        maps_of(p, o, maps);
        for (Long v = 0; v < NV; v++) {
            Vector r[8], a[8];
            for (Long j = 0; j < one; j++) r[j] = LOAD(Y + (j * rows1 + o) * NR + LANES * v);
            for (Long j = 0; j < 2 * rows; j++)
                r[one + j] = LOAD(Y + (one * rows1 + j / 2 * rows2 + j % 2 * p->out + o) * NR + LANES * v);
            from_irreps(group, r, a);
            const Long whole = way->whole[v];
            for (Long h = 0; h < group; h++) {
                Vector y = a[h] + shift;
                if (relu) y = (Vector)(~(y <= 0) & (Bits)y); /* NaN stays NaN */
                STORE(whole < 0 ? turned + h * NR + LANES * v : band + maps[h] * area + whole, y);
            }
        }
        for (Long n = 0; n < way->count; n++)
            for (Long h = 0; h < group; h++)
                copy(band + maps[h] * area + way->pieces[n].to, turned + h * NR + way->pieces[n].from, way->pieces[n].count);
    }
}

/* One task: a band of rows of one image, or some images. */
INLINE void forward(
    Long group, const Problem *p, const float *x, const float *matrices, const float *bias, int relu,
    float *out, float *scratch, Long number) {
    const Cut c = forward_cut(p);
    const Long taps = p->count, depth = p->in * taps;
    const Long one = ones_of(group), rows = rows_of(group);
    const Long rows1 = round_up(p->out, QUARTET), rows2 = round_up(2 * p->out, QUARTET);
    const Long area = p->rows * p->columns;
    const float *twos = matrices + one * rows1 * depth;
    Long offsets[8 * 121];
    Way way;
    float *padded = scratch, *P = padded + round_up(c.plane * p->sheets * p->in, 16);
    float *Y = P + coefficients_of(group) * depth * NR, *turned = Y + (one * rows1 + rows * rows2) * NR;
    offsets_of(p, &c, offsets);
    const Task task = task_of(p, &c, number);
    pad_band(p, &c, &task, x, padded);
    float *band = out + task.image * p->out * group * area + task.first * p->columns;
    for (Long first = 0; first < task.pixels; first += NR) {
        gather(group, padded, p->sheets * c.plane, offsets, p->in, taps, first, NR, P);
        for (Long j = 0; j < one; j++)
            product(matrices + j * rows1 * depth, P + j * depth * NR, Y + partner_of(group, j) * rows1 * NR, rows1, depth);
        for (Long a = 0; a < rows; a++)
            product(twos, P + (one + 2 * a) * depth * NR, Y + (one * rows1 + a * rows2) * NR, rows2, 2 * depth);
        way_of(p, &c, &task, first, least(first + NR, task.pixels), &way);
        finish(group, p, Y, bias, relu, turned, &way, band);
    }
}

#endif
