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

/* Y[M][pixels] = weights · P[depth][pixels], for M rows of the matrix, one quartet or two, and nv vectors
   of pixels. */
INLINE void tile_product(const Long M, const Long nv, const float *weights, const float *P, float *Y, Long depth) {
    Vector sum[2 * QUARTET][NV];
    for (Long i = 0; i < M; i++)
        for (Long v = 0; v < nv; v++) sum[i][v] = (Vector){0};
    for (Long k = 0; k < depth; k++) {
        Vector row[NV];
        for (Long v = 0; v < nv; v++) row[v] = LOAD(P + (k * nv + v) * LANES);
        const float *w = weights + k * QUARTET;
#pragma GCC unroll 8
        for (Long i = 0; i < M; i++)
            for (Long v = 0; v < nv; v++)
                sum[i][v] += w[i / QUARTET * depth * QUARTET + i % QUARTET] * row[v];
    }
    for (Long i = 0; i < M; i++)
        for (Long v = 0; v < nv; v++) STORE(Y + (i * nv + v) * LANES, sum[i][v]);
}

INLINE void product(const Long nv, const float *weights, const float *P, float *Y, Long rows, Long depth) {
    Long m = 0;
    for (; m + MR <= rows; m += MR) tile_product(MR, nv, weights + m * depth, P, Y + m * nv * LANES, depth);
    for (; m < rows; m += QUARTET) tile_product(QUARTET, nv, weights + m * depth, P, Y + m * nv * LANES, depth);
}

/* Where the pixels of a panel go in a map of the output, and how: as whole vectors (`count[v]` is LANES);
   `count[v]` pixels up to the end of a line and behind them those of the next one, pulled up; or in pieces
   (0), where several lines end, or at the end of the map, where nothing may be written behind. */
typedef struct {
    Long from, to, count;
} Piece;
typedef struct {
    Long to[NV], count[NV], pieces;
    Piece piece[NR];
} Way;

static void way_of(Long nv, const Problem *p, const Cut *c, const Task *t, Long first, Way *way) {
    const Long columns = p->columns, end_of_band = t->height * columns, last = t->pixels;
    way->pieces = 0;
    for (Long v = 0; v < nv; v++) {
        const Long begin = first + v * LANES, stop = least(begin + LANES, last);
        way->to[v] = way->count[v] = 0;
        for (Long f = begin; f < stop;) {
            const Long line = f / c->line, x = f - line * c->line, end = least((line + 1) * c->line, stop);
            const Long n = line / c->lines, y = line - n * c->lines, count = least(end - f, columns - x);
            const Long inside = y * columns + x, to = n * p->out * p->group * p->rows * columns + inside;
            const Long one_end = columns >= LANES && count + c->line - columns <= LANES;
            if (f == begin && y < t->height && count > 0 && (count == LANES || one_end) && inside + LANES <= end_of_band) {
                way->to[v] = to, way->count[v] = count;
                break;
            }
            if (y < t->height && count > 0) way->piece[way->pieces++] = (Piece){f - first, to, count};
            f = end;
        }
    }
}

static Long forward_room(const Problem *p) {
    const Cut c = forward_cut(p);
    const Long depth = p->in * p->count;
    const Long products = ones_of(p->group) * round_up(p->out, QUARTET) + rows_of(p->group) * round_up(2 * p->out, QUARTET);
    const Long padded = round_up(c.plane * p->sheets * p->in, 16);
    return round_up(padded + (coefficients_of(p->group) * depth + products + p->group) * NR + LANES, 16);
}

/* All bits of the first `count` lanes. */
INLINE Bits lanes_below(Long count) {
    Bits lane;
    for (int n = 0; n < LANES; n++) lane[n] = n;
    return lane < (int)count;
}

/* What all panels of a task work with. */
typedef struct {
    const Problem *p;
    const Cut *cut;
    const Task *task;
    const float *matrices, *bias;
    int relu;
    const Long *offsets;
    float *padded, *P, *Y, *turned, *band; /* `band`: where the task's rows of the output begin */
} Bench;

/* Butterfly back, bias, and out of the panel into the maps. */
INLINE void finish(Long group, const Long nv, const Bench *w, const Way *way) {
    const Problem *p = w->p;
    const Long one = ones_of(group), rows = rows_of(group), width = nv * LANES;
    const Long rows1 = round_up(p->out, QUARTET), rows2 = round_up(2 * p->out, QUARTET);
    const Long area = p->rows * p->columns, between = w->cut->line - p->columns;
    for (Long o = 0; o < p->out; o++) {
        const float shift = w->bias ? w->bias[o / p->copies] : 0.0f;
        Long maps[8];
        maps_of(p, o, maps);
        for (Long v = 0; v < nv; v++) {
            const float *Y = w->Y + LANES * v;
            Vector r[8], a[8];
            for (Long j = 0; j < one; j++) r[j] = LOAD(Y + (j * rows1 + o) * width);
            for (Long j = 0; j < 2 * rows; j++)
                r[one + j] = LOAD(Y + (one * rows1 + j / 2 * rows2 + j % 2 * p->out + o) * width);
            from_irreps(group, r, a);
            float *to = w->band + way->to[v], *aside = w->turned + LANES * v;
            for (Long h = 0; h < group; h++) {
                a[h] += shift;
                if (w->relu) a[h] = (Vector)(~(a[h] <= 0) & (Bits)a[h]); /* NaN stays NaN */
                STORE(way->count[v] == LANES ? to + maps[h] * area : aside + h * width, a[h]);
            }
            if (way->count[v] == LANES || way->count[v] == 0) continue;
            const Bits before = lanes_below(way->count[v]);
            for (Long h = 0; h < group; h++) { /* the last lanes are junk until the next vector is written */
                const Bits pulled = (Bits)LOAD(aside + h * width + between);
                STORE(to + maps[h] * area, (Vector)((before & (Bits)a[h]) | (~before & pulled)));
            }
        }
        for (Long n = 0; n < way->pieces; n++) {
            const Piece *piece = way->piece + n;
            for (Long h = 0; h < group; h++)
                copy(w->band + maps[h] * area + piece->to, w->turned + h * width + piece->from, piece->count);
        }
    }
}

/* nv vectors of pixels from the `first` one on. */
INLINE void panel(Long group, const Long nv, const Bench *w, Long first) {
    const Problem *p = w->p;
    const Long taps = p->count, depth = p->in * taps, width = nv * LANES;
    const Long one = ones_of(group), rows = rows_of(group);
    const Long rows1 = round_up(p->out, QUARTET), rows2 = round_up(2 * p->out, QUARTET);
    const float *twos = w->matrices + one * rows1 * depth;
    Way way;
    gather(group, w->padded, p->sheets * w->cut->plane, w->offsets, p->in, taps, first, width, w->P);
    for (Long j = 0; j < one; j++)
        product(nv, w->matrices + j * rows1 * depth, w->P + j * depth * width, w->Y + partner_of(group, j) * rows1 * width, rows1, depth);
    for (Long a = 0; a < rows; a++)
        product(nv, twos, w->P + (one + 2 * a) * depth * width, w->Y + (one * rows1 + a * rows2) * width, rows2, 2 * depth);
    way_of(nv, p, w->cut, w->task, first, &way);
    finish(group, nv, w, &way);
}

/* One task: a band of rows of one image, or some images. */
INLINE void forward(
    Long group, const Problem *p, const float *x, const float *matrices, const float *bias, int relu,
    float *out, float *scratch, Long number) {
    const Cut c = forward_cut(p);
    const Task task = task_of(p, &c, number);
    const Long rows1 = round_up(p->out, QUARTET), rows2 = round_up(2 * p->out, QUARTET);
    Long offsets[8 * 121];
    Bench w = {.p = p, .cut = &c, .task = &task, .matrices = matrices, .bias = bias, .relu = relu, .offsets = offsets};
    w.padded = scratch;
    w.P = w.padded + round_up(c.plane * p->sheets * p->in, 16);
    w.Y = w.P + coefficients_of(group) * p->in * p->count * NR;
    w.turned = w.Y + (ones_of(group) * rows1 + rows_of(group) * rows2) * NR;
    w.band = out + task.image * p->out * group * p->rows * p->columns + task.first * p->columns;
    offsets_of(p, &c, offsets);
    pad_band(p, &c, &task, x, w.padded);
    Long first = 0;
    for (; first + NR <= round_up(task.pixels, LANES); first += NR) panel(group, NV, &w, first);
    for (; first < task.pixels; first += LANES) panel(group, 1, &w, first);
}

#endif
