/* Weights into the basis of the representations, and gradients back; see `kernel.c`.

   The Fourier transform and its transpose give back |G| times a number, |G|/2 times a block;
   the weights carry these factors. */

#ifndef EQUIVLAB_WEIGHTS
#define EQUIVLAB_WEIGHTS

#include "forward.h"

/* Where the weights are: the filter from field i to field o begins at o·row + i·column, and places[d][u]
   says where in it W'[d][u] is. */
typedef struct {
    const float *numbers;
    Long row, column;
    const int *places;
} Weights;

/* The rows that fill a last quartet; before the others are packed. */
static void pack_nothing(const Problem *p, float *matrices) {
    if (p->out % QUARTET) memset(matrices, 0, sizeof(float) * matrices_of(p));
}

/* Of the fields o from `first` on, to before `last`. The block of P4 has two numbers (x, y): its rows are
   (x, y) and (-y, x), and three products stand for it. */
INLINE void pack_of(Long group, const Problem *p, const Weights *w, Long first, Long last, float *matrices) {
    const Long taps = p->count, depth = p->in * taps, one = ones_of(group);
    const Long rows1 = round_up(p->out, QUARTET);
    float *twos = matrices + one * rows1 * depth;
    for (Long o = first; o < last; o++) {
        float *ones = matrices + o / QUARTET * depth * QUARTET + o % QUARTET;
        float *pair[2]; /* row b·out + o of the block */
        for (Long b = 0; b < 2; b++) {
            const Long n = b * p->out + o;
            pair[b] = twos + n / QUARTET * 2 * depth * QUARTET + n % QUARTET;
        }
        for (Long k = 0; k < depth; k++) {
            const float *filter = w->numbers + o * w->row + k / taps * w->column;
            const int *place = w->places + k % taps * group;
            float a[8], r[8];
            for (Long u = 0; u < group; u++) a[u] = place[u] < 0 ? 0 : filter[place[u]];
            to_irreps_of_one(group, a, r);
            for (Long j = 0; j < 4; j++) r[j] /= group;
            if (group == 4) {
                const float x = 2 * r[2], y = 2 * r[3];
                r[2] = -x - y, r[3] = y - x, r[4] = x;
            }
            for (Long j = 0; j < one; j++) ones[(j * rows1 * depth) + k * QUARTET] = r[j];
            if (group == 8)
                for (Long j = 0; j < 4; j++)
                    pair[j / 2][(j % 2 * depth + k) * QUARTET] = r[4 + j] * (2.0f / group);
        }
    }
}

static void pack(const Problem *p, const Weights *w, Long first, Long last, float *matrices) {
    if (p->group == 8)
        pack_of(8, p, w, first, last, matrices);
    else
        pack_of(4, p, w, first, last, matrices);
}

/* Gradients of the matrices, [one][out][depth] and [2·out][2·depth], to those of the weights. */
INLINE void unpack_of(Long group, const Problem *p, const float *sums, const int *places, float *weight) {
    const Long taps = p->count, depth = p->in * taps, one = ones_of(group);
    const float *twos = sums + one * p->out * depth, scale = 2.0f / group;
    for (Long o = 0; o < p->out; o++)
        for (Long k = 0; k < depth; k++) {
            float a[8], r[8];
            for (Long j = 0; j < one; j++) r[j] = sums[(j * p->out + o) * depth + k] / group;
            if (group == 4) {
                const float re = r[2], im = r[3];
                r[2] = 2 * (r[4] - re - im), r[3] = 2 * (im - re), r[4] = 0;
            } else {
                const float *x = twos + 2 * o * depth + k, *y = x + 2 * p->out * depth; /* the two rows */
                r[4] = x[0] * scale, r[5] = x[depth] * scale, r[6] = y[0] * scale, r[7] = y[depth] * scale;
            }
            from_irreps_of_one(group, r, a);
            float *filter = weight + (o * p->in + k / taps) * p->sheets * p->kernel * p->kernel;
            const int *place = places + k % taps * group;
            for (Long u = 0; u < group; u++)
                if (place[u] >= 0) filter[place[u]] = a[u];
        }
}

static void unpack(const Problem *p, const float *sums, const int *places, float *weight) {
    if (p->group == 8)
        unpack_of(8, p, sums, places, weight);
    else
        unpack_of(4, p, sums, places, weight);
}

#endif
