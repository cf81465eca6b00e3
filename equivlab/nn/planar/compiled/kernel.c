/* The group convolution of P4 and P4m in the basis of irreducible representations.

   A group convolution is  out[o,g](x) = sum over i, u, d of  W[o,i,u](d) · f[i, g·u](x + g·d).
   Two changes of variables make it cheap:

   1. Gather. With  a[i,d][h](x) = f[i,h](x + h·d)  the taps turn with the orientation h, and
      out[o,g] = sum over i, d, u of  W'[o,i,d][u] · a[i,d][g·u],  where W'[..,d][u] = W[..,u](u·d):
      for each i and d a convolution over the group alone.
   2. Butterfly. A Fourier transform over the group turns that into products of small matrices,
      one for each irreducible representation (Schur's lemma): four of size 1 and one of size 2
      for P4m, in place of one of size 8. 4 + 2·2·2 = 12 multiplications instead of 64, for P4
      2 + 3 instead of 16 (a complex product takes three); the transform itself is additions.

   For each panel of NR pixels the three steps follow each other while the numbers are in the
   cache: gather and butterfly into P, matrix products of the weights with P into Y, butterfly
   back, bias. Nothing here knows about Python; `route.py` decides when it is called.

   `panels.h` has the steps 1 and 2, `forward.h` and `gradient.h` what is done with them,
   `weights.h` the change of basis of the weights. This file shares the work among the threads. */

#include "forward.h"
#include "gradient.h"
#include "weights.h"

#if defined(_WIN32)
#define PUBLIC __declspec(dllexport)
#else
#define PUBLIC __attribute__((visibility("default")))
#endif

/* OpenMP's own `GOMP_parallel` out of the library that torch has loaded: call `work` in so many
   threads. torch's threads are used, so no others wait for the same processors. */
typedef void (*Parallel)(void (*work)(void *), void *job, unsigned threads, unsigned flags);

/* What is to be done, in parts; each thread takes the next part while there is one. Weights that are new are
   packed before, a quartet of fields at a time, and nobody goes on until all of them are. */
typedef struct Job {
    const Problem *p;
    const Weights *weights;     /* or NULL */
    Long packing, packed;       /* quartets that have begun, that are done */
    float *packs;
    const float *x, *matrices, *bias, *gradient;
    int relu;
    float *out, *scratch;
    Long room;                  /* floats of scratch for each thread */
    Long parts, taken, seated;  /* parts, and how many of them and of the threads have begun */
    void (*part)(const struct Job *, Long part, float *room);
} Job;

static void pack_together(Job *job) {
    const Long all = (job->p->out + QUARTET - 1) / QUARTET;
    for (;;) {
        const Long first = QUARTET * __atomic_fetch_add(&job->packing, 1, __ATOMIC_RELAXED);
        if (first >= job->p->out) break;
        pack(job->p, job->weights, first, least(first + QUARTET, job->p->out), job->packs);
        __atomic_fetch_add(&job->packed, 1, __ATOMIC_RELEASE);
    }
    while (__atomic_load_n(&job->packed, __ATOMIC_ACQUIRE) < all) continue; /* for the others' last ones */
}

static void work(void *given) {
    Job *job = given;
    const Long seat = __atomic_fetch_add(&job->seated, 1, __ATOMIC_RELAXED);
    if (seat >= job->p->threads) return;
    if (job->weights) pack_together(job);
    for (;;) {
        const Long part = __atomic_fetch_add(&job->taken, 1, __ATOMIC_RELAXED);
        if (part >= job->parts) return;
        job->part(job, part, job->scratch + seat * job->room);
    }
}

static void share(Job *job, Parallel parallel) {
    const Long threads = job->parts < job->p->threads ? job->parts : job->p->threads;
    if (parallel && threads > 1)
        parallel(work, job, (unsigned)threads, 0);
    else
        work(job);
}

static void forward_part(const Job *job, Long part, float *room) {
    const Problem *p = job->p;
    if (p->group == 8)
        forward(8, p, job->x, job->matrices, job->bias, job->relu, job->out, room, part);
    else
        forward(4, p, job->x, job->matrices, job->bias, job->relu, job->out, room, part);
}

/* The tasks are cut in as many parts as there are threads, with sums of their own: the rounding
   is the same each time, whichever thread takes which part. */
static void gradient_part(const Job *job, Long part, float *room) {
    const Problem *p = job->p;
    const Cut c = gradient_cut(p);
    const Long tasks = tasks_of(p, &c), size = sums_of(p);
    const Long begin = tasks * part / job->parts, end = tasks * (part + 1) / job->parts;
    float *sums = job->out + part * size;
    memset(sums, 0, sizeof(float) * size);
    if (p->group == 8)
        weight_gradient(8, p, job->x, job->gradient, sums, room, begin, end);
    else
        weight_gradient(4, p, job->x, job->gradient, sums, room, begin, end);
}

PUBLIC const char *equivlab_compiler(void) {
#if defined(__clang__)
    return __VERSION__; /* says that it is Clang */
#else
    return "GCC " __VERSION__;
#endif
}

/* Bytes of a `Problem`: another number, and the build is older or newer than who calls it. */
PUBLIC Long equivlab_problem(void) { return sizeof(Problem); }

/* Floats that the weights need in the basis of the representations, and that the operators work in. */
PUBLIC Long equivlab_matrices(const Problem *p) { return matrices_of(p); }
PUBLIC Long equivlab_forward_scratch(const Problem *p) { return p->threads * forward_room(p); }
PUBLIC Long equivlab_convolve_scratch(const Problem *p) {
    return round_up(matrices_of(p), 16) + p->threads * forward_room(p);
}
PUBLIC Long equivlab_gradient_scratch(const Problem *p) {
    return p->threads * (gradient_room(p) + sums_of(p));
}

/* The matrices of weights that lie as `Weights` says. */
PUBLIC void equivlab_pack(
    const Problem *p, const float *weight, Long row, Long column, const int *places, float *matrices) {
    const Weights weights = {weight, row, column, places};
    pack_nothing(p, matrices);
    pack(p, &weights, 0, p->out, matrices);
}

static void in_bands(Job *job, Parallel parallel) {
    const Cut c = forward_cut(job->p);
    job->room = forward_room(job->p), job->parts = tasks_of(job->p, &c), job->part = forward_part;
    share(job, parallel);
}

PUBLIC void equivlab_forward(
    const Problem *p, const float *x, const float *matrices, const float *bias, int relu, float *out,
    float *scratch, Parallel parallel) {
    Job job = {.p = p, .x = x, .matrices = matrices, .bias = bias, .relu = relu, .out = out, .scratch = scratch};
    in_bands(&job, parallel);
}

/* Both at once, for weights that are new at each call. */
PUBLIC void equivlab_convolve(
    const Problem *p, const float *x, const float *weight, Long row, Long column, const int *places,
    const float *bias, float *out, float *scratch, Parallel parallel) {
    const Weights weights = {weight, row, column, places};
    pack_nothing(p, scratch);
    Job job = {.p = p, .weights = &weights, .packs = scratch, .x = x, .matrices = scratch, .bias = bias, .out = out};
    job.scratch = scratch + round_up(matrices_of(p), 16);
    in_bands(&job, parallel);
}

/* The gradient of the weights themselves, laid out as they are. */
PUBLIC void equivlab_weight_gradient(
    const Problem *p, const float *x, const float *gradient, const int *places, float *weight,
    float *scratch, Parallel parallel) {
    const Long size = sums_of(p);
    Job job = {.p = p, .x = x, .gradient = gradient, .out = scratch, .scratch = scratch + p->threads * size};
    const Cut c = gradient_cut(p);
    const Long tasks = tasks_of(p, &c);
    job.room = gradient_room(p), job.parts = tasks < p->threads ? tasks : p->threads, job.part = gradient_part;
    share(&job, parallel);
    for (Long part = 1; part < job.parts; part++)
        for (Long n = 0; n < size; n++) scratch[n] += scratch[part * size + n];
    unpack(p, scratch, places, weight);
}
