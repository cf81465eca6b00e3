/* The Fourier transform on SO(3), of as many signals at once as a vector has lanes.

   A signal is x[β][α][γ] on a grid of n = 2b points along each axis; its spectrum has K = 2L − 1
   orders a (of α) and b (of γ). Analysis, for each β, then for each pair of orders:

   1. Waves in α, then in γ. The cosine is even, the sine odd, so x[j] ± x[n − j] come first and
      half of the multiplications are spared.
   2. F[l] = sum over β of T[a,b][l][β] y[a,b][β] + U[a,b][l][β] y[−a,−b][β], only for the degrees
      l ≥ |a|, |b|, which are a third of all.

   Synthesis is the transpose, in the opposite order. The lanes hold different signals, so nothing
   here mixes them; they are transposed on their way in and out. Numbers go straight from and to
   the blocks (batch, m, channel, n) of the degrees, which is what a convolution multiplies. */

#include "lanes.h"

#if defined(_WIN32)
#define PUBLIC __declspec(dllexport)
#else
#define PUBLIC __attribute__((visibility("default")))
#endif

typedef struct {
    Long bandwidth, degrees, batch, channels;
    Long threads;        /* that share the work, at most */
    const float *polar;  /* [a·b][T of each l, U of each l][β] */
    const float *waves;  /* [a][α]: sines, then from the middle on cosines */
} Plan;

/* Vectors of scratch, one part after the other. */
typedef struct {
    float *slab, *folded, *half, *all, *spectrum;
} Room;

static Long side(Long order) { return order < 0 ? -order : order; }

static Long room_of(const Plan *p) {
    const Long n = 2 * p->bandwidth, K = 2 * p->degrees - 1;
    return LANES * (2 * n * n + n * K + n * K * K + (K * K + 2) * p->degrees);
}

static Room parts_of(const Plan *p, float *room) {
    const Long n = 2 * p->bandwidth, K = 2 * p->degrees - 1;
    Room r = {.slab = room};
    r.folded = r.slab + n * n * LANES;
    r.half = r.folded + n * n * LANES;
    r.all = r.half + n * K * LANES;
    r.spectrum = r.all + n * K * K * LANES;
    return r;
}

/* Rows 0 to n/2 of `to` are x[j] + x[n − j], the other ones x[j] − x[n − j] for j = 1 to n/2 − 1. */
static void fold(const float *x, Long n, Long width, float *to) {
    const Long h = n / 2;
    for (Long c = 0; c < width; c += LANES) {
        STORE(to + c, LOAD(x + c));
        STORE(to + h * width + c, LOAD(x + h * width + c));
        for (Long j = 1; j < h; j++) {
            const Vector one = LOAD(x + j * width + c), other = LOAD(x + (n - j) * width + c);
            STORE(to + j * width + c, one + other);
            STORE(to + (h + j) * width + c, one - other);
        }
    }
}

static void unfold(const float *folded, Long n, Long width, float *x) {
    const Long h = n / 2;
    for (Long c = 0; c < width; c += LANES) {
        STORE(x + c, LOAD(folded + c));
        STORE(x + h * width + c, LOAD(folded + h * width + c));
        for (Long j = 1; j < h; j++) {
            const Vector even = LOAD(folded + j * width + c), odd = LOAD(folded + (h + j) * width + c);
            STORE(x + j * width + c, even + odd);
            STORE(x + (n - j) * width + c, even - odd);
        }
    }
}

/* Samples to orders: of folded x[j][c] to y[a][c], `width` floats in a row of x. */
INLINE void to_orders(const Plan *p, const float *folded, Long columns, float *y, Long row, Long column) {
    const Long n = 2 * p->bandwidth, h = n / 2, L = p->degrees, width = columns * LANES;
    const Matrix cosines = {p->waves + (L - 1) * n, n, 1}, sines = {p->waves + 1, n, 1};
    const Matrix even = {folded, width, LANES}, odd = {folded + (h + 1) * width, width, LANES};
    product(L, columns, cosines, even, y + (L - 1) * row, row, column, h + 1, 0);
    product(L - 1, columns, sines, odd, y, row, column, h - 1, 0);
}

INLINE void from_orders(const Plan *p, const float *y, Long row, Long column, Long columns, float *folded) {
    const Long n = 2 * p->bandwidth, h = n / 2, L = p->degrees, width = columns * LANES;
    const Matrix cosines = {p->waves + (L - 1) * n, 1, n}, sines = {p->waves + 1, 1, n};
    const Matrix even = {y + (L - 1) * row, row, column}, odd = {y, row, column};
    product(h + 1, columns, cosines, even, folded, width, LANES, L, 0);
    product(h - 1, columns, sines, odd, folded + (h + 1) * width, width, LANES, L - 1, 0);
}

/* Where order (−l, −l) of signal z is in the block of degree l. */
static Long place_of(const Plan *p, Long z, Long l) {
    const Long K = 2 * l + 1;
    return (z / p->channels * K * p->channels + z % p->channels) * K;
}

/* Analysis of the signals from `first` on. */
static void project(const Plan *p, float *x, float *const *blocks, Long first, Long signals, Room r) {
    const Long n = 2 * p->bandwidth, L = p->degrees, K = 2 * L - 1, row = K * K * LANES;
    for (Long beta = 0; beta < n; beta++) {
        into_lanes(x + (first * n + beta) * n * n, n * n * n, signals, n * n, r.slab); /* [α][γ] */
        fold(r.slab, n, n * LANES, r.folded);
        to_orders(p, r.folded, n, r.half, LANES, K * LANES); /* [γ][a] */
        fold(r.half, n, K * LANES, r.folded);
        to_orders(p, r.folded, K, r.all + beta * row, LANES, K * LANES); /* [β][a][b] */
    }
    float *one = r.spectrum;
    for (Long ab = 0; ab < K * K; ab++) {
        const Long a = ab / K - L + 1, b = ab % K - L + 1, l0 = side(a) > side(b) ? side(a) : side(b);
        const Long opposite = K * K - 1 - ab;
        const Matrix T = {p->polar + (ab * 2 * L + l0) * n, n, 1}, y = {r.all + ab * LANES, row, 0};
        const Matrix U = {p->polar + ((opposite * 2 + 1) * L + l0) * n, n, 1}, z = {r.all + opposite * LANES, row, 0};
        product(L - l0, 1, T, y, one, LANES, 0, n, 0);
        product(L - l0, 1, U, z, one, LANES, 0, n, 1);
        for (Long l = l0; l < L; l++)
            for (Long s = 0; s < signals; s++)
                blocks[l][place_of(p, first + s, l) + (a + l) * p->channels * (2 * l + 1) + b + l] =
                    one[(l - l0) * LANES + s];
    }
}

/* Synthesis of the signals from `first` on. */
static void expand(const Plan *p, float *x, float *const *blocks, Long first, Long signals, Room r) {
    const Long n = 2 * p->bandwidth, L = p->degrees, K = 2 * L - 1, row = K * K * LANES;
    for (Long ab = 0; ab < K * K; ab++) {
        const Long a = ab / K - L + 1, b = ab % K - L + 1, l0 = side(a) > side(b) ? side(a) : side(b);
        for (Long l = l0; l < L; l++)
            for (Long s = 0; s < LANES; s++)
                r.spectrum[(ab * L + l) * LANES + s] =
                    blocks[l][place_of(p, first + least(s, signals - 1), l) + (a + l) * p->channels * (2 * l + 1) + b + l];
    }
    for (Long ab = 0; ab < K * K; ab++) {
        const Long a = ab / K - L + 1, b = ab % K - L + 1, l0 = side(a) > side(b) ? side(a) : side(b);
        const Long opposite = K * K - 1 - ab;
        const Matrix T = {p->polar + (ab * 2 * L + l0) * n, 1, n}, F = {r.spectrum + (ab * L + l0) * LANES, LANES, 0};
        const Matrix U = {T.at + L * n, 1, n}, G = {r.spectrum + (opposite * L + l0) * LANES, LANES, 0};
        product(n, 1, T, F, r.all + ab * LANES, row, 0, L - l0, 0);
        product(n, 1, U, G, r.all + ab * LANES, row, 0, L - l0, 1);
    }
    for (Long beta = 0; beta < n; beta++) {
        from_orders(p, r.all + beta * row, LANES, K * LANES, K, r.folded); /* [γ, folded][a] */
        unfold(r.folded, n, K * LANES, r.half);
        from_orders(p, r.half, LANES, K * LANES, n, r.folded); /* [α, folded][γ] */
        unfold(r.folded, n, n * LANES, r.slab);
        out_of_lanes(r.slab, n * n * n, signals, n * n, x + (first * n + beta) * n * n);
    }
}

/* OpenMP's `GOMP_parallel`: call `work` in so many of torch's threads. */
typedef void (*Parallel)(void (*work)(void *), void *job, unsigned threads, unsigned flags);
typedef void (*Transform)(const Plan *, float *x, float *const *blocks, Long first, Long signals, Room);

typedef struct {
    const Plan *p;
    float *x, *const *blocks, *room;
    Transform transform;
    Long taken, seated; /* groups of signals and threads that have begun */
} Job;

static void work(void *given) {
    Job *job = given;
    const Plan *p = job->p;
    const Long seat = __atomic_fetch_add(&job->seated, 1, __ATOMIC_RELAXED), signals = p->batch * p->channels;
    if (seat >= p->threads) return;
    const Room room = parts_of(p, job->room + seat * room_of(p));
    for (;;) {
        const Long first = LANES * __atomic_fetch_add(&job->taken, 1, __ATOMIC_RELAXED);
        if (first >= signals) return;
        job->transform(p, job->x, job->blocks, first, least(LANES, signals - first), room);
    }
}

static void share(const Plan *p, float *x, float *const *blocks, float *room, Parallel parallel, Transform transform) {
    Job job = {.p = p, .x = x, .blocks = blocks, .room = room, .transform = transform};
    if (parallel && p->threads > 1)
        parallel(work, &job, (unsigned)p->threads, 0);
    else
        work(&job);
}

/* Floats of scratch, for all threads. */
PUBLIC Long equivlab_room(const Plan *p) { return p->threads * room_of(p); }

PUBLIC void equivlab_project(const Plan *p, float *x, float *const *blocks, float *room, Parallel parallel) {
    share(p, x, blocks, room, parallel, project);
}

PUBLIC void equivlab_expand(const Plan *p, float *x, float *const *blocks, float *room, Parallel parallel) {
    share(p, x, blocks, room, parallel, expand);
}
