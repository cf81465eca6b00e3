/* Steps 1 and 2 of `kernel.c`: an image in bands of rows, its gathered taps, the butterflies.

   Written with the vector extensions that GCC and Clang share. VB is the size of a vector in
   bytes; a tile of the forward product is MR rows by NV vectors, one of the weight gradient GM by
   GK sums, both kept in registers. */

#ifndef EQUIVLAB_PANELS
#define EQUIVLAB_PANELS

#include <stddef.h>
#include <string.h>

#ifndef VB
#define VB 64
#define MR 8
#define NV 3
#define GM 4
#define GK 6
#endif
#define LANES (VB / 4)
#define NR (NV * LANES)
#define BLOCK 1024 /* pixels that a weight gradient sums, at most, before it moves on */
#ifndef BAND
#define BAND 196608 /* floats of a padded band that the cache holds beside the rest */
#endif

typedef ptrdiff_t Long; /* `long` has half the bits on Windows */
typedef float Vector __attribute__((vector_size(VB)));
typedef float Loose __attribute__((vector_size(VB), aligned(4)));
typedef float LooseFour __attribute__((vector_size(16), aligned(4)));
typedef int Bits __attribute__((vector_size(VB)));
#define LOAD(p) ((Vector) * (const Loose *)(p))
#define STORE(p, v) (*(Loose *)(p) = (Loose)(v))
#define INLINE static inline __attribute__((always_inline))

/* What is convolved with what. One image is f[i][h][row][column], so a field's maps are together;
   where it is lifted, h is 0 alone. */
typedef struct {
    Long group, sheets;         /* 4 or 8 orientations; as many maps in a field of the input, or 1 */
    Long batch, in, out;        /* images, fields in, fields out */
    Long height, width;         /* of the input */
    Long kernel, stride, padding, dilation;
    Long rows, columns;         /* of the output */
    Long threads;               /* that share the work, at most */
    Long count;                 /* taps that are gathered; of an image's, one of those that turns carry to each other */
    const int *taps;            /* taps[h][d]: where tap d stands in the filter turned by h */
    Long copies;                /* fields here that are one field of a finer group */
    const int *maps;            /* maps[copy][h]: which of the maps of that field this is */
} Problem;

/* How an image is cut into bands of output rows, so that a padded band stays in the cache. Small
   images are stacked instead, one below the other, so that fewer vectors are only partly filled.
   With stride s a plane is kept as s·s phases, so that neighbours in the output are neighbours in
   memory: pixel (y, x) is at place (y/s, x/s) of phase (y%s, x%s). */
typedef struct {
    Long band, bands, stack;    /* output rows in a band, bands in an image, images in a band */
    Long line, phase, plane;    /* floats in a line, a phase, a plane */
    Long reach;                 /* input rows that a band of output rows looks at */
    Long lines;                 /* how many of each phase those are */
} Cut;

/* Where the maps of a field lie in memory, one for each orientation. */
INLINE void maps_of(const Problem *p, Long field, Long *maps) {
    const Long copy = field % p->copies;
    for (Long h = 0; h < p->group; h++)
        maps[h] = (field - copy) * p->group + p->maps[copy * p->group + h];
}

static Long round_up(Long n, Long step) { return (n + step - 1) / step * step; }
static Long least(Long a, Long b) { return a < b ? a : b; }
static Long most(Long a, Long b) { return a > b ? a : b; }

/* Coefficients of a function on the group. Those that are multiplied by one number each come first: four
   representations of dimension one for P4m; for P4 two, and the three products that a complex one takes
   (`to_irreps`). Then the rows of two that a block of P4m multiplies. */
INLINE Long ones_of(Long group) { return group == 8 ? 4 : 5; }
INLINE Long rows_of(Long group) { return group == 8 ? 2 : 0; }
INLINE Long coefficients_of(Long group) { return ones_of(group) + 2 * rows_of(group); }

/* Which coefficient of the output comes of coefficient j of the input: its own, but that of a complex
   number's real part is added to the imaginary one, and the other way round. */
INLINE Long partner_of(Long group, Long j) { return group == 4 && (j == 2 || j == 3) ? 5 - j : j; }

/* `step`: pixels that are taken at a time; `waste`: how many more a new start costs;
   `past`: how many beyond the last one may be read. */
static Cut cut_of(const Problem *p, Long step, Long waste, Long past) {
    Cut c;
    const Long s = p->stride, span = p->dilation * (p->kernel - 1);
    /* With stride 1 the zeros before a line are those after the one above, too. */
    c.line = s == 1 ? most(p->width + p->padding, p->columns) : (p->width + 2 * p->padding + s - 1) / s;
    const Long floats = p->sheets * p->in * c.line * s * s; /* of a line, all maps */
    Long band = most(BAND / floats - span / s, 8);
    const Long share = (p->batch + 3 * p->threads - 1) / (3 * p->threads); /* images for a thread */
    if (p->threads > 1 && p->batch == 1) { /* a band for each: more would fill more panels in part */
        band = least(band, most((p->rows + p->threads - 1) / p->threads, 4));
    } else if (p->threads > 1) { /* some bands for each thread, that they end together */
        const Long bands = (3 * p->threads + p->batch - 1) / p->batch;
        band = least(band, most((p->rows + bands - 1) / bands, 4));
    }
    band = least(band, p->rows);
    c.bands = (p->rows + band - 1) / band;
    c.band = (p->rows + c.bands - 1) / c.bands;
    c.bands = (p->rows + c.band - 1) / c.band;
    c.reach = (c.band - 1) * s + span + 1;
    c.lines = (c.reach + s - 1) / s;
    c.stack = 1;
    if (c.bands == 1 && c.lines * c.line < round_up((p->rows - 1) * c.line + p->columns, step) + waste)
        c.stack = most(least(least(BAND / (floats * c.lines), BLOCK / (c.lines * c.line)), least(p->batch, share)), 1);
    c.phase = round_up(c.stack * c.lines * c.line + past + span + LANES, LANES);
    c.plane = c.phase * s * s;
    return c;
}

static Cut forward_cut(const Problem *p) { return cut_of(p, NR, 0, NR); }
static Cut gradient_cut(const Problem *p) { return cut_of(p, LANES, 8 * LANES, BLOCK); }

static Long tasks_of(const Problem *p, const Cut *c) {
    return c->bands > 1 ? p->batch * c->bands : (p->batch + c->stack - 1) / c->stack;
}

/* One task: these rows of these images. */
typedef struct {
    Long image, images, first, height;
    Long pixels; /* from the first one to the last, on the lines of the padded band */
} Task;

static Task task_of(const Problem *p, const Cut *c, Long number) {
    Task t;
    t.image = c->bands > 1 ? number / c->bands : number * c->stack;
    t.images = least(c->stack, p->batch - t.image);
    t.first = c->bands > 1 ? number % c->bands * c->band : 0;
    t.height = least(c->band, p->rows - t.first);
    t.pixels = ((t.images - 1) * c->lines + t.height - 1) * c->line + p->columns;
    return t;
}

/* offsets[d][h]: where tap d of orientation h is, counted from a pixel of the field's first plane. */
static void offsets_of(const Problem *p, const Cut *c, Long *offsets) {
    const Long s = p->stride, taps = p->count;
    for (Long d = 0; d < taps; d++)
        for (Long h = 0; h < p->group; h++) {
            const int tap = p->taps[h * taps + d];
            const Long y = tap / p->kernel * p->dilation, x = tap % p->kernel * p->dilation;
            *offsets++ = (p->sheets > 1 ? h * c->plane : 0) + ((y % s) * s + x % s) * c->phase + y / s * c->line + x / s;
        }
}

/* So few numbers that calling `memcpy` would take longer than copying them. */
INLINE void copy(float *to, const float *from, Long count) {
    Long n = 0;
    if (count >= LANES) {
        for (; n + LANES <= count; n += LANES) STORE(to + n, LOAD(from + n));
        if (n < count) STORE(to + count - LANES, LOAD(from + count - LANES));
    } else if (count >= 4) {
        for (; n + 4 <= count; n += 4) *(LooseFour *)(to + n) = *(const LooseFour *)(from + n);
        *(LooseFour *)(to + count - 4) = *(const LooseFour *)(from + count - 4);
    } else {
        for (; n < count; n++) to[n] = from[n];
    }
}

/* A line of the padded band with stride > 1: row y of a map, each s-th pixel to one of s phases. */
INLINE void pad_line(const Problem *p, const Cut *c, const float *row, Long line, float *plane) {
    const Long s = p->stride;
    float *to = plane + line % s * s * c->phase + line / s * c->line;
    for (Long q = 0; q < s; q++) { /* the pixels of phase q */
        const Long x0 = (q + s - p->padding % s) % s;
        float *phase = to + q * c->phase + (x0 + p->padding) / s;
        for (Long x = x0; x < p->width; x += s) *phase++ = row[x];
    }
}

/* The rows of one map that a task looks at, with zeros around; `map` is that of the task's first image,
   and those of the next ones follow `image` floats apart. */
static void pad_map(
    const Problem *p, const Cut *c, const Task *t, const float *map, Long image, float *plane) {
    const Long s = p->stride, size = c->lines * c->line;
    const Long top = t->first * s - p->padding; /* the row of the image that is line 0 */
    const Long begin = least(most(-top, 0), c->reach); /* from this line to that one there are pixels */
    const Long end = most(least(p->height - top, c->reach), begin);
    const float *rest = plane + c->plane;
    if (s > 1) memset(plane, 0, sizeof(float) * c->plane);
    for (Long n = 0; n < t->images; n++, plane += size) {
        const float *row = map + n * image + (top + begin) * p->width;
        if (s > 1) {
            for (Long line = begin; line < end; line++, row += p->width) pad_line(p, c, row, line, plane);
            continue;
        }
        memset(plane, 0, sizeof(float) * begin * c->line);
        float *to = plane + begin * c->line;
        for (Long line = begin; line < end; line++, row += p->width) {
            for (Long k = 0; k < p->padding; k++) *to++ = 0;
            copy(to, row, p->width);
            to += p->width;
            for (Long k = p->padding + p->width; k < c->line; k++) *to++ = 0;
        }
        memset(to, 0, sizeof(float) * (size - end * c->line));
    }
    if (s == 1) memset(plane, 0, sizeof(float) * (rest - plane));
}

/* All fields and orientations. */
static void pad_band(const Problem *p, const Cut *c, const Task *t, const float *x, float *padded) {
    const Long area = p->height * p->width, image = p->in * p->sheets * area;
    for (Long field = 0; field < p->in; field++) {
        Long maps[8] = {field}; /* of an image one */
        if (p->sheets > 1) maps_of(p, field, maps);
        for (Long h = 0; h < p->sheets; h++, padded += c->plane)
            pad_map(p, c, t, x + t->image * image + maps[h] * area, image, padded);
    }
}

/* Fourier transform over the group: orientations a[h] to coefficients r[j], one for each of the
   one-dimensional representations, then the four entries of the two-dimensional one, as in
   `PointGroup.irreps`. Only additions. Of P4's two-dimensional one the second row says the same as the
   first, a complex number p + qi; it has p, q and p + q here, since
   (p + qi)(x - yi) = (x(p + q) + (y - x)q) + (x(p + q) - (x + y)p)i takes three products and not four.
   And its transpose, which is its inverse up to the factors that the weights carry. */
#define BUTTERFLIES(Number, to_irreps, from_irreps)                                            \
    INLINE void to_irreps(Long group, const Number *a, Number *r) {                            \
        const Number s0 = a[0] + a[2], d0 = a[0] - a[2], s1 = a[1] + a[3], d1 = a[1] - a[3];   \
        if (group == 4) {                                                                      \
            r[0] = s0 + s1, r[1] = s0 - s1, r[2] = d0, r[3] = -d1, r[4] = d0 - d1;             \
            return;                                                                            \
        }                                                                                      \
        const Number t0 = a[4] + a[6], e0 = a[4] - a[6], t1 = a[5] + a[7], e1 = a[5] - a[7];   \
        const Number S = s0 + s1, D = s0 - s1, T = t0 + t1, Q = t0 - t1;                       \
        r[0] = S + T, r[1] = S - T, r[2] = D + Q, r[3] = D - Q;                                \
        r[4] = d0 - e0, r[5] = -e1 - d1, r[6] = d1 - e1, r[7] = d0 + e0;                       \
    }                                                                                          \
    INLINE void from_irreps(Long group, const Number *r, Number *a) {                          \
        if (group == 4) {                                                                      \
            const Number s0 = r[0] + r[1], s1 = r[0] - r[1], p = r[2] + r[4], q = r[3] + r[4]; \
            a[0] = s0 + p, a[2] = s0 - p, a[1] = s1 - q, a[3] = s1 + q;                        \
            return;                                                                            \
        }                                                                                      \
        const Number S = r[0] + r[1], T = r[0] - r[1], D = r[2] + r[3], Q = r[2] - r[3];       \
        const Number s0 = S + D, s1 = S - D, t0 = T + Q, t1 = T - Q;                           \
        const Number d0 = r[4] + r[7], e0 = r[7] - r[4];                                       \
        const Number d1 = r[6] - r[5], e1 = -r[5] - r[6];                                      \
        a[0] = s0 + d0, a[2] = s0 - d0, a[1] = s1 + d1, a[3] = s1 - d1;                        \
        a[4] = t0 + e0, a[6] = t0 - e0, a[5] = t1 + e1, a[7] = t1 - e1;                        \
    }
BUTTERFLIES(Vector, to_irreps, from_irreps)
BUTTERFLIES(float, to_irreps_of_one, from_irreps_of_one)

/* P[j][k][pixels]: coefficients of the gathered taps of `fields` fields, k = (field, tap), whose
   maps begin `next` floats apart. */
INLINE void gather(
    Long group, const float *padded, Long next, const Long *offsets, Long fields, Long taps,
    Long first, Long width, float *P) {
    const Long step = fields * taps * width;
    for (Long i = 0; i < fields; i++) {
        const float *field = padded + i * next + first;
        for (Long d = 0; d < taps; d++) {
            const Long *place = offsets + d * group;
            for (Long x = 0; x < width; x += LANES) {
                Vector a[8], r[8];
                for (Long h = 0; h < group; h++) a[h] = LOAD(field + place[h] + x);
                to_irreps(group, a, r);
                for (Long j = 0; j < coefficients_of(group); j++) STORE(P + j * step + x, r[j]);
            }
            P += width;
        }
    }
}

#endif
