/* A forked process works, in one thread: none of its parent's threads came along. */
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "models/open.h"
#include "ops/ops.h"
#include "optim/data/data.h"
#include "tests/test.h"

/* The system gives numbers again: a child's child may have that of the process that made threads.
 */
static pid_t pretended;

pid_t getpid(void)
{
    return pretended ? pretended : (pid_t)syscall(SYS_getpid);
}

static void begin_child(bool has_its_parents_number)
{
    alarm(20);
    pretended = has_its_parents_number ? getppid() : 0;
}

static nm_context *open_context(int threads)
{
    return nm_open(&(nm_context_options){.threads = threads});
}

/* Products and sums large enough for several threads, oneDNN's among them. */
static double compute(nm_context *context)
{
    nm_tape *tape = nm_tape_create(context);
    nm_tensor *a = nm_full(tape, NM_F32, NM_SHAPE(400, 400), 0.01);
    double sum = nm_tensor_item(nm_sum(tape, nm_exp(tape, nm_matmul(tape, a, a))));
    nm_tape_destroy(tape);
    return sum;
}

/* Ends the child with 0 if `fine`. */
static void end_child(bool fine)
{
    _exit(fine ? 0 : 1);
}

static void wait_for(pid_t child)
{
    int status;
    waitpid(child, &status, 0);
    ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == 0, "the child ended with %x", status);
}

START_TEST(a_forked_process_computes_in_its_parents_context_and_in_one_of_its_own)
{
    nm_context *context = open_context(2);
    const double sum = compute(context);
    for (int i = 0; i < 4; i++) {
        const bool own = i / 2;
        pid_t child = fork();
        if (!child) {
            begin_child(i % 2);
            nm_context *mine = own ? open_context(2) : context;
            const bool fine = near_to(compute(mine), sum, 1e-6, 0);
            nm_close(mine);
            end_child(fine);
        }
        wait_for(child);
    }
    ck_assert(compute(context) == sum);
    nm_close(context);
}
END_TEST

static float first_of_next(nm_loader *loader)
{
    nm_batch batch;
    return nm_loader_next(loader, &batch) == NM_OK && batch.count ? batch.x[0] : -1;
}

static void goes_on_with_its_parents_loader(bool has_its_number)
{
    nm_context *context = open_context(1); /* leaves a processor to the loader's thread */
    nm_document *text = nm_document_parse(context, "{train: {spirals: {points: 400}}, batch: 10}",
                                          SIZE_MAX, "text");
    nm_diagnostics d;
    nm_diagnostics_begin(&d, context);
    nm_data_options options;
    nm_spec_read(&nm_data_spec, nm_document_root(text), "data", text, &d, &options);
    nm_data data;
    nm_data_open(context, &options, &data);
    nm_loader *loader = nm_loader_create(context, &data.train, &data.loader, true, 1);
    nm_loader_begin(loader, 0, 0);
    first_of_next(loader);
    int says[2];
    ck_assert_int_eq(pipe(says), 0);
    pid_t child = fork();
    if (!child) {
        begin_child(has_its_number);
        float next = first_of_next(loader);
        bool fine = write(says[1], &next, sizeof next) == sizeof next;
        nm_loader_begin(loader, 1, 0);
        fine = fine && first_of_next(loader) != -1;
        nm_loader_destroy(loader);
        end_child(fine);
    }
    wait_for(child);
    float next;
    ck_assert_int_eq(read(says[0], &next, sizeof next), sizeof next);
    ck_assert(next == first_of_next(loader));
    close(says[0]);
    close(says[1]);
    nm_loader_destroy(loader);
    nm_data_close(&data);
    nm_document_destroy(text);
    assert_fine(context);
    nm_close(context);
}

START_TEST(a_forked_process_goes_on_with_its_parents_loader)
{
    goes_on_with_its_parents_loader(false);
    goes_on_with_its_parents_loader(true);
}
END_TEST

TEST_MAIN("models/fork", a_forked_process_computes_in_its_parents_context_and_in_one_of_its_own,
          a_forked_process_goes_on_with_its_parents_loader)
