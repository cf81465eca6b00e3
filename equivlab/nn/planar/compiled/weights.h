/* Weights into the basis of the representations, and gradients back; see `kernel.c`.

   The Fourier transform and its transpose give back |G| times a number, |G|/2 times a block;
   the weights carry these factors. */

#ifndef EQUIVLAB_WEIGHTS
#define EQUIVLAB_WEIGHTS

#include "forward.h"

/* The block of P4 has two numbers (x, y): its rows are (x, y) and (-y, x), and three products stand for it. */
INLINE void pack_of(
    Long group, const Problem *p, const float *weight, Long row, Long column, const int *places, float *matrices) {
    const Long taps = p->count, depth = p->in * taps, one = ones_of(group);
    const Long rows1 = round_up(p->out, QUARTET);
    float *twos = matrices + one * rows1 * depth;
    memset(matrices, 0, sizeof(float) * matrices_of(p)); /* the rows that fill a last quartet */
    for (Long o = 0; o < p->out; o++) {
        float *first = matrices + o / QUARTET * depth * QUARTET + o % QUARTET;
        float *pair[2]; /* row b·out + o of the block */
        for (Long b = 0; b < 2; b++) {
            const Long n = b * p->out + o;
            pair[b] = twos + n / QUARTET * 2 * depth * QUARTET + n % QUARTET;
        }
        for (Long k = 0; k < depth; k++) {
            const float *filter = weight + o * row + k / taps * column;
            const int *place = places + k % taps * group;
            float a[8], r[8];
            for (Long u = 0; u < group; u++) a[u] = place[u] < 0 ? 0 : filter[place[u]];
            to_irreps_of_one(group, a, r);
            for (Long j = 0; j < 4; j++) r[j] /= group;
            if (group == 4) {
                const float x = 2 * r[2], y = 2 * r[3];
                r[2] = -x - y, r[3] = y - x, r[4] = x;
            }
            for (Long j = 0; j < one; j++) first[(j * rows1 * depth) + k * QUARTET] = r[j];
            if (group == 8)
                for (Long j = 0; j < 4; j++)
                    pair[j / 2][(j % 2 * depth + k) * QUARTET] = r[4 + j] * (2.0f / group);
        }
    }
}

static void pack(
    const Problem *p, const float *weight, Long row, Long column, const int *places, float *matrices) {
    if (p->group == 8)
        pack_of(8, p, weight, row, column, places, matrices);
    else
        pack_of(4, p, weight, row, column, places, matrices);
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
