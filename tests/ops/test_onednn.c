/* What a context keeps of oneDNN's: enough for a deep network on all its threads, and no more than
 * that however many sizes come by. */
#include "ops/kernels/onednn_primitive.h"
#include "tests/ops/conv_reference.h"

#ifdef NM_HAVE_ONEDNN

#define EACH 8 /* that a bucket keeps for each thread */

static int64_t count_kept(const nm_backend *b)
{
    int64_t count = 0;
    for (int i = 0; i < NM_PRIMITIVE_BUCKETS; i++) {
        for (const nm_primitive *p = b->buckets[i]; p; p = p->next) {
            count++;
        }
    }
    return count;
}

static int count_copies(const nm_backend *b)
{
    int count = 0;
    for (int i = 0; i < NM_PRIMITIVE_BUCKETS; i++) {
        for (const nm_primitive *p = b->buckets[i]; p; p = p->next) {
            count += p->copies && p->copies[0].original;
        }
    }
    return count;
}

#define LAYERS 150
#define THREADS 8
#define IN 256
#define MOST (16 * (16 + LAYERS)) /* columns */

/* Each thread has columns of its own. */
static void multiply(nm_context *context, int64_t columns)
{
    static float a[8 * IN], b[MOST * IN], c[8 * MOST];
    const nm_gemm g = {.dtype = NM_F32,
                       .transpose_b = true,
                       .m = 8,
                       .n = columns,
                       .k = IN,
                       .lda = IN,
                       .ldb = IN,
                       .ldc = columns,
                       .a = a,
                       .b = b,
                       .c = c};
    ck_assert(nm_onednn_gemm(context, &g, false));
}

static bool describe_none(const nm_problem *problem, dnnl_engine_t engine,
                          dnnl_primitive_attr_t attributes, nm_description *out)
{
    (void)problem, (void)engine, (void)attributes, (void)out;
    return false; /* which is kept as well, and takes no time */
}

static nm_primitive *find(nm_context *context, nm_backend *b, int64_t size, int64_t share)
{
    nm_problem problem = {.share = share, .product.m = size};
    return nm_primitive_of(context, b, &problem, describe_none);
}

#endif

START_TEST(all_primitives_of_a_deep_network_are_kept_on_many_threads)
{
#ifdef NM_HAVE_ONEDNN
    test_memory memory = {.fail_at = -1};
    nm_context *context = test_context(&memory);
    nm_context_set_threads(context, THREADS);
    const nm_backend *b = nm_onednn_backend(context);
    long calls = 0;
    for (int step = 0; step < 3 && b; step++) { /* it is installed */
        calls = memory.calls;
        for (int64_t layer = 1; layer <= LAYERS; layer++) {
            multiply(context, 16 * (16 + layer));
        }
        ck_assert_int_eq(count_kept(b), LAYERS * THREADS);
    }
    ck_assert_int_eq(memory.calls, b ? calls : memory.calls); /* none was made anew */
    test_context_end(context, &memory);
#endif
}
END_TEST

START_TEST(primitives_of_all_sizes_that_are_ever_seen_are_not_kept)
{
#ifdef NM_HAVE_ONEDNN
    test_memory memory = {.fail_at = -1};
    nm_context *context = test_context(&memory);
    nm_backend *b = nm_onednn_backend(context);
    for (int64_t shares = 1; shares <= 3 && b; shares++) {
        const int64_t most = EACH * NM_PRIMITIVE_BUCKETS * shares;
        for (int64_t i = 0; i < 3 * most; i++) {
            ck_assert(find(context, b, i, i % shares) != NULL);
            ck_assert(i < most || count_kept(b) > most / 2);
            ck_assert_int_le(count_kept(b), most);
        }
    }
    test_context_end(context, &memory);
#endif
}
END_TEST

START_TEST(a_primitive_at_work_stays_whatever_comes)
{
#ifdef NM_HAVE_ONEDNN
    nm_context *context = test_context(NULL);
    nm_backend *b = nm_onednn_backend(context);
    nm_primitive *busy[4 * EACH];
    for (int64_t i = 0; i < 4 * EACH && b; i++) {
        busy[i] = find(context, b, i, 0);
        busy[i]->busy = true;
    }
    for (int64_t i = 0; i < 3 * EACH * NM_PRIMITIVE_BUCKETS && b; i++) {
        ck_assert(find(context, b, 1000 + i, 0) != NULL);
    }
    for (int64_t i = 0; i < 4 * EACH && b; i++) {
        ck_assert(find(context, b, i, 0) == busy[i] && busy[i]->busy);
    }
    nm_context_destroy(context);
#endif
}
END_TEST

/* The same weights come three times before a copy is kept, which is found wrong when they change.
 */
START_TEST(threads_share_one_copy_of_a_convolutions_weights)
{
#ifdef NM_HAVE_ONEDNN
    fixture f = begin();
    nm_context_set_threads(f.context, 4);
    const nm_conv c = {.n = 10};                                      /* for messages */
    nm_tensor *x = random_tensor(&f, NM_F32, NM_SHAPE(10, 7, 9, 32)); /* 2 or 3 images each */
    nm_tensor *w = random_tensor(&f, NM_F32, NM_SHAPE(64, 2, 2, 32));
    for (int i = 0, same = 0; i < 12; i++, same++) {
        if (i % 5 == 4) {
            nm_tensor_set(w, 5000, (double)i);
            same = 0;
        }
        nm_tensor *y = nm_conv2d(f.tape, x, w, NULL);
        nm_context_set_onednn(f.context, false);
        nm_tensor *wanted = nm_conv2d(f.tape, x, w, NULL);
        nm_context_set_onednn(f.context, true);
        assert_like(&c, "y", y, wanted);
        const nm_backend *b = nm_onednn_backend(f.context);
        ck_assert_int_eq(b ? count_copies(b) : 0, b && same >= 2);
    }
    end(f);
#endif
}
END_TEST

TEST_MAIN("ops/onednn", all_primitives_of_a_deep_network_are_kept_on_many_threads,
          primitives_of_all_sizes_that_are_ever_seen_are_not_kept,
          a_primitive_at_work_stays_whatever_comes,
          threads_share_one_copy_of_a_convolutions_weights)
