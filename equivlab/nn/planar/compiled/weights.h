/* Weights into the basis of the representations, and gradients back; see `kernel.c`.

   The Fourier transform and its transpose give back |G| times a number, |G|/2 times a block;
   the weights carry these factors. */

#ifndef EQUIVLAB_WEIGHTS
#define EQUIVLAB_WEIGHTS

#include "forward.h"

/* The two-dimensional block of P4 has two numbers (x, y): its rows are (x, y) and (-y, x). */
INLINE void pack_of(
    Long group, const Problem *p, const float *weight, Long row, Long column, const int *places, float *matrices) {
    const Long taps = p->count, depth = p->in * taps, one = group == 8 ? 4 : 2;
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
            for (Long j = 0; j < one; j++) first[(j * rows1 * depth) + k * QUARTET] = r[j] / group;
            const float *block = r + one, scale = 2.0f / group;
            pair[0][k * QUARTET] = block[0] * scale;
            pair[0][(depth + k) * QUARTET] = block[1] * scale;
            pair[1][k * QUARTET] = (group == 8 ? block[2] : -block[1]) * scale;
            pair[1][(depth + k) * QUARTET] = (group == 8 ? block[3] : block[0]) * scale;
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
    const Long taps = p->count, depth = p->in * taps, one = group == 8 ? 4 : 2;
    const float *twos = sums + one * p->out * depth, scale = 2.0f / group;
    for (Long o = 0; o < p->out; o++)
        for (Long k = 0; k < depth; k++) {
            const float *x = twos + 2 * o * depth + k, *y = x + 2 * p->out * depth; /* the two rows */
            float a[8], r[8];
            for (Long j = 0; j < one; j++) r[j] = sums[(j * p->out + o) * depth + k] / group;
            if (group == 8) {
                r[4] = x[0] * scale, r[5] = x[depth] * scale, r[6] = y[0] * scale, r[7] = y[depth] * scale;
            } else {
                r[2] = (x[0] + y[depth]) * scale, r[3] = (x[depth] - y[0]) * scale;
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
