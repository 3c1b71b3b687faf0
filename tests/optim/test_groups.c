/* Groups: one rule for rate, decay and freezing. mmengine#846, mmcv#347. */
#include "ops/ops.h"
#include "optim/optim.h"
#include "optim/optimizers.h"
#include "tests/test.h"

/* ---- A store of two layers, the second with running statistics ---- */

static nm_context *context;
static nm_store *store;
static nm_optimizer *optimizer;

static const struct {
    const char *name;
    nm_purpose purpose;
} entries[] = {
    {"a.weight", NM_WEIGHT},
    {"a.bias", NM_BIAS},
    {"bn.scale", NM_NORM_SCALE},
    {"bn.shift", NM_NORM_SHIFT},
    {"bn.running_mean", NM_STATISTIC},
    {"bn.running_var", NM_STATISTIC},
    {"bn2.scale", NM_NORM_SCALE},
    {"bn2.running_mean", NM_STATISTIC},
    {"lone.running_mean", NM_STATISTIC},
};

static void begin(test_memory *memory)
{
    context = test_context(memory);
    optimizer = NULL;
    store = context ? nm_store_create(context) : NULL;
    for (int i = 0; store && i < NM_COUNT_OF(entries); i++) {
        nm_role role = entries[i].purpose == NM_STATISTIC ? NM_BUFFER : NM_PARAMETER;
        nm_store_add(store, entries[i].name, role, entries[i].purpose, NM_F32, NM_SHAPE(2));
    }
}

static void end(test_memory *memory)
{
    nm_optimizer_destroy(optimizer);
    nm_store_destroy(store);
    test_context_end(context, memory);
}

/* The optimizer with groups as they stand in a file; the text is in the message of an error. */
static void apply(const char *yaml)
{
    int count;
    nm_diagnostics d;
    nm_diagnostics_begin(&d, context);
    nm_document *document = nm_document_parse(context, yaml, SIZE_MAX, "net.yaml");
    const nm_choice sgd = nm_sgd(.rate = 0.5, .weight_decay = 0.25);
    nm_group *groups = document ? nm_groups_read(nm_document_root(document), &d, &count) : NULL;
    if (nm_diagnostics_end(&d) == NM_OK) {
        nm_optimizer_destroy(optimizer);
        optimizer = nm_optimizer_create(store, &sgd, groups, count);
    }
    nm_free(context, groups);
    nm_document_destroy(document);
}

static nm_member member(const char *name)
{
    for (int i = 0; i < nm_optimizer_count(optimizer); i++) {
        nm_member m = nm_optimizer_at(optimizer, i);
        if (strcmp(m.entry->name, name) == 0) {
            return m;
        }
    }
    ck_abort_msg("%s is no parameter", name);
}

#define assert_member(name, factor_, decay)                                                        \
    do {                                                                                           \
        nm_member m_ = member(name);                                                               \
        ck_assert_msg(m_.factor == (factor_) && m_.weight_decay == (decay),                        \
                      "%s has factor %g and decay %g", name, m_.factor, m_.weight_decay);          \
        ck_assert(m_.rate == 0.5 * m_.factor);                                                     \
    } while (0)

static bool trains(const char *name)
{
    return nm_store_find(store, name)->trainable;
}

/* ---- Rate and decay ---- */

START_TEST(without_groups_the_optimizer_decides)
{
    begin(NULL);
    apply("[]");
    assert_fine(context);
    ck_assert_int_eq(nm_optimizer_count(optimizer), 5);
    assert_member("a.weight", 1, 0.25);
    assert_member("a.bias", 1, 0);
    assert_member("bn.scale", 1, 0);
    ck_assert(trains("bn.scale") && trains("bn.running_mean"));
    end(NULL);
}
END_TEST

START_TEST(what_a_group_does_not_say_stays_as_the_groups_before_left_it)
{
    begin(NULL);
    apply("[{match: '*', rate: 0.1}, {match: '*.bias', weight_decay: 0.5}, "
          "{match: 'a.*', rate: 3}]");
    assert_fine(context);
    assert_member("a.weight", 3, 0.25);
    assert_member("a.bias", 3, 0.5);
    assert_member("bn.scale", 0.1, 0);
    apply("[{match: '*', weight_decay: 1}, {match: '*.weight', rate: 0.5}]");
    assert_fine(context);
    assert_member("a.weight", 0.5, 1);
    assert_member("a.bias", 1, 1);
    apply("[{match: '*', rate: 2, weight_decay: 1}, "
          "{match: 'a.*', rate: unchanged, weight_decay: unchanged, frozen: unchanged}]");
    assert_fine(context);
    assert_member("a.weight", 2, 1);
    ck_assert(trains("a.weight"));
    end(NULL);
}
END_TEST

START_TEST(default_is_the_optimizers_decay_with_its_exceptions)
{
    begin(NULL);
    apply("[{match: '*', weight_decay: 1}, {match: 'a.*', weight_decay: default}]");
    assert_fine(context);
    assert_member("a.weight", 1, 0.25);
    assert_member("a.bias", 1, 0);
    assert_member("bn.scale", 1, 1);
    apply("[{match: '*', weight_decay: -3}]");
    assert_error(context, NM_ERROR_INPUT,
                 "net.yaml:1:29: group: \"weight_decay\" must be at least 0 or default, unchanged, "
                 "not -3");
    end(NULL);
}
END_TEST

START_TEST(groups_of_a_program_follow_the_same_rule)
{
    begin(NULL);
    const nm_group groups[] = {
        {NM_GROUP_DEFAULTS, .match = "*", .rate = 2, .frozen = true},
        {NM_GROUP_DEFAULTS, .match = "a.*", .weight_decay = 3},
        {NM_GROUP_DEFAULTS, .match = "a.bias", .frozen = false},
        {NM_GROUP_DEFAULTS, .match = "a.bias", .rate = 1, .weight_decay = NM_DEFAULT_DECAY}};
    optimizer = nm_optimizer_create(store, &nm_sgd(.rate = 0.5, .weight_decay = 0.25), groups, 4);
    assert_fine(context);
    assert_member("a.weight", 2, 3);
    assert_member("a.bias", 1, 0);
    ck_assert(!trains("a.weight") && trains("a.bias") && !trains("bn.scale"));
    end(NULL);
}
END_TEST

/* ---- Freezing ---- */

START_TEST(a_frozen_parameter_stays_frozen_until_a_group_says_otherwise)
{
    begin(NULL);
    apply("[{match: '*', frozen: true}, {match: 'a.*', rate: 2}, {match: '*.bias', frozen: no}]");
    assert_fine(context);
    ck_assert(!trains("a.weight") && trains("a.bias"));
    ck_assert(!nm_tensor_requires_grad(nm_store_find(store, "a.weight")->tensor));
    ck_assert(nm_tensor_requires_grad(nm_store_find(store, "a.bias")->tensor));
    end(NULL);
}
END_TEST

/* pytorch#86590, lightly#1438. */
START_TEST(statistics_rest_with_the_parameters_of_their_layer_unless_asked)
{
    begin(NULL);
    apply("[{match: 'bn.scale', frozen: true}]");
    ck_assert(trains("bn.running_mean") && trains("bn.running_var"));
    apply("[{match: 'bn.s*', frozen: true}]");
    ck_assert(!trains("bn.running_mean") && !trains("bn.running_var"));
    ck_assert(trains("bn2.running_mean") && trains("lone.running_mean"));
    end(NULL);
    begin(NULL);
    apply("[{match: '*', frozen: true}, {match: '*.running_*', frozen: false}]");
    assert_fine(context);
    ck_assert(trains("bn.running_mean") && trains("bn2.running_mean") && !trains("bn.scale"));
    end(NULL);
    begin(NULL);
    apply("[{match: 'bn2.running_*', frozen: true}]");
    assert_fine(context);
    ck_assert(!trains("bn2.running_mean") && trains("bn2.scale") && trains("bn.running_mean"));
    end(NULL);
}
END_TEST

START_TEST(what_a_program_froze_is_not_thawed_by_groups_that_say_nothing_of_it)
{
    begin(NULL);
    nm_store_set_trainable(store, "a.bias", false);
    apply("[{match: '*', rate: 2}]");
    assert_fine(context);
    ck_assert(!trains("a.bias") && trains("a.weight"));
    end(NULL);
}
END_TEST

/* ---- Mistakes ---- */

START_TEST(every_group_that_matches_nothing_is_named_with_its_place)
{
    begin(NULL);
    apply("[{match: a.wieght, rate: 2},\n {match: '*'}, {rate: 1, match: 'dense9.*'}]");
    ck_assert_ptr_null(optimizer);
    ck_assert_ptr_nonnull(strstr(nm_context_error(context),
                                 "net.yaml:1:10: group \"a.wieght\" matches no parameter; did you "
                                 "mean \"a.weight\"?\n"));
    assert_error(context, NM_ERROR_INPUT, "net.yaml:2:33: group \"dense9.*\" matches no parameter");
    ck_assert(trains("a.weight"));
    const nm_group group = {NM_GROUP_DEFAULTS, .match = "conv.wieght"};
    ck_assert_ptr_null(nm_optimizer_create(store, &nm_sgd(.rate = 0.1), &group, 1));
    assert_error(context, NM_ERROR_INPUT, "group \"conv.wieght\" matches no parameter; they have");
    end(NULL);
}
END_TEST

START_TEST(a_rate_of_running_statistics_is_a_mistake)
{
    begin(NULL);
    apply("[{match: 'bn.running_*', rate: 2}]");
    assert_error(context, NM_ERROR_INPUT,
                 "net.yaml:1:10: group \"bn.running_*\" matches running statistics only, of which "
                 "nothing but \"frozen\" can be said");
    end(NULL);
}
END_TEST

/* ---- Memory ---- */

static nm_status apply_some(test_memory *memory)
{
    begin(memory);
    if (!context) {
        return NM_ERROR_MEMORY;
    }
    if (nm_context_status(context) == NM_OK) {
        apply("[{match: '*', frozen: true}, {match: 'a.*', frozen: false, rate: 2}]");
    }
    nm_status status = nm_context_status(context);
    end(memory);
    return status;
}

START_TEST(every_failing_allocation_is_an_error_without_a_leak)
{
    test_every_allocation(apply_some);
}
END_TEST

TEST_MAIN("optim/groups", without_groups_the_optimizer_decides,
          what_a_group_does_not_say_stays_as_the_groups_before_left_it,
          default_is_the_optimizers_decay_with_its_exceptions,
          groups_of_a_program_follow_the_same_rule,
          a_frozen_parameter_stays_frozen_until_a_group_says_otherwise,
          statistics_rest_with_the_parameters_of_their_layer_unless_asked,
          what_a_program_froze_is_not_thawed_by_groups_that_say_nothing_of_it,
          every_group_that_matches_nothing_is_named_with_its_place,
          a_rate_of_running_statistics_is_a_mistake,
          every_failing_allocation_is_an_error_without_a_leak)
