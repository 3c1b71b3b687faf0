/* CSV files where memory runs out: whichever request fails, the error is that, and nothing is kept.
 */
#include "tests/optim/data/csv/tables.h"

typedef struct tables {
    const char *trained, *options;
    const char *like, *like_options; /* for a network that was trained on the first */
    int wanted;
} tables;

static const tables all[] = {
    /* Each kind of column, names in another order, columns that the network does not have */
    {"id,a,kind,when,is,y\n1,1,x,2/1/2020,yes,setosa\n2,,z,31/1/2020,no,virginica\n"
     "3,2,,2/1/2020,yes,setosa\n4,4,z,,no,virginica\n",
     ", missing: mean", "b,y,when,kind,is,a,note\n7,setosa,2/1/2020,x,yes,1,hello\n", "",
     NM_WANTED_LABELS},
    /* Labels that are numbers with gaps */
    {"1,10,5\n2,20,9\n3,30,7\n", ", ignore: [1]", "4,40,9\n5,50,5\n", "", NM_WANTED_LABELS},
    {"1,10,-1\n2,20,1\n", "", "4,40\n", "", NM_WANTED_LABELS},
    /* Several values, with marks */
    {"a,share,price\n1,10%,$1\n2,30%,$3\n4,20%,$2\n", ", target: [share, price]", "price,a\n$5,3\n",
     "", NM_WANTED_VALUES},
    /* Texts that are names of columns, in a file of another form */
    {"# x;y;z\n1;2;3\n4;5;6\n", "", "x;y\n1;2\n", "", NM_WANTED_VALUES},
    {"\"a b\",\"c\",y\n\"1\",u,p\n\"2\",v,q\n\"3\",u,r\n", ", missing: median, categories: [1]",
     "c,a b\nv,1\nu,2\n", "", NM_WANTED_LABELS},
};
static const tables *tried;

static void open_both(void)
{
    nm_dataset set, other;
    if (open_wanted(&set, tried->wanted, tried->trained, tried->options) == NM_OK) {
        nm_schema *schema = set.schema;
        schema->shape = set.shape;
        schema->target_shape = set.target_shape;
        schema->classes = set.classes;
        open_like(&other, schema, tried->like, tried->like_options);
        nm_dataset_close(&other);
    }
    nm_dataset_close(&set);
}

static nm_status open_failing(test_memory *memory)
{
    context = test_context(memory);
    if (!context) {
        return NM_ERROR_MEMORY;
    }
    if (nm_register_datasets(context) == NM_OK) {
        open_both();
    }
    const nm_status status = nm_context_status(context);
    test_context_end(context, memory);
    return status;
}

START_TEST(any_allocation_may_fail)
{
    for (int i = 0; i < NM_COUNT_OF(all); i++) {
        tried = &all[i];
        test_every_allocation(open_failing);
    }
}
END_TEST

/* Each table opens where nothing fails: else there would be less to fail. */
START_TEST(each_table_can_be_opened)
{
    for (int i = 0; i < NM_COUNT_OF(all); i++) {
        tried = &all[i];
        begin(NULL);
        open_both();
        assert_fine(context);
        nm_context_destroy(context);
    }
}
END_TEST

TEST_MAIN("optim/data/csv/memory", any_allocation_may_fail, each_table_can_be_opened)
