/* CSV files: tables in the very form in which they are published or exported train at the first
 * try. The numbers are made up. */
#include "optim/data/normalize.h"
#include "tests/optim/data/csv/tables.h"

static char text[1 << 20];
static size_t length;

static void add(const char *format, ...) NM_PRINTF(1, 2);
static void add(const char *format, ...)
{
    va_list list;
    va_start(list, format);
    length += (size_t)vsnprintf(text + length, sizeof text - length, format, list);
    va_end(list);
    ck_assert(length < sizeof text);
}

/* A number of row i and column k that repeats late. */
static int number(int i, int k)
{
    return (i * 7919 + k * 104729 + i * i * 31) % 1009;
}

static const char *const species[] = {"Iris-setosa", "Iris-versicolor", "Iris-virginica"};

typedef struct expected {
    const char *more; /* options */
    int wanted;       /* nm_wanted */
    int64_t rows, width, classes;
    const char *first_class; /* NULL: no names */
} expected;

static void expect(const expected *e)
{
    nm_dataset set;
    char number_text[32];
    ck_assert_int_eq(open_wanted(&set, e->wanted, text, e->more), NM_OK);
    assert_fine(context);
    ck_assert_int_eq(set.count, e->rows);
    ck_assert_int_eq(set.shape.dim[0], e->width);
    ck_assert_int_eq(set.classes, e->classes);
    if (e->first_class) {
        ck_assert_str_eq(nm_schema_class_name(set.schema, 0, number_text), e->first_class);
    }
    nm_dataset_close(&set);
    length = 0;
}

START_TEST(iris_in_ten_forms)
{
    static const struct {
        const char *header, *row, *end;
    } forms[] = {
        {"", "%d.%d,%d.%d,%s\n", "\n"}, /* UCI's, with a blank line at its end */
        {"sepal.length,sepal.width,variety\n", "%d.%d,%d.%d,%s\n", ""},
        {"\"Sepal.Length\",\"Sepal.Width\",\"Species\"\n", "%d.%d,%d.%d,\"%s\"\n", ""},
        {"a\tb\tc\r\n", "%d.%d\t%d.%d\t%s\r\n", ""},
        {"a;b;c\n", "%d,%d;%d,%d;%s\n", ""}, /* a German spreadsheet's */
        {"sep=;\na;b;c\n", "%d,%d;%d,%d;%s\n", ";;\n"},
        {"a|b|c\r", "%d.%d|%d.%d|%s\r", ""},
        {"'a','b','c'\n", "%d.%d,%d.%d,'%s'\n", ""},
        {"0,1,2\n", "%d.%d,%d.%d,%s\n", ""}, /* pandas, without names */
        {"% from Weka\n", "%d.%d, %d.%d, %s\n", ""},
    };
    begin(NULL);
    for (int f = 0; f < NM_COUNT_OF(forms); f++) {
        add("%s", forms[f].header);
        for (int i = 0; i < 60; i++) {
            char row[64];
            snprintf(row, sizeof row, forms[f].row, 4 + number(i, 0) % 4, i % 9,
                     2 + number(i, 1) % 3, i % 7 + 1, species[i / 20]);
            add("%s", row);
        }
        add("%s", forms[f].end);
        expect(&(expected){"", NM_WANTED_LABELS, 60, 2, 3, "Iris-setosa"});
    }
    nm_context_destroy(context);
}
END_TEST

START_TEST(iris_with_an_id_as_kaggle_r_and_pandas_have_it)
{
    begin(NULL);
    for (int form = 0; form < 3; form++) {
        add("%s", form == 0   ? "Id,SepalLengthCm,SepalWidthCm,Species\n"
                  : form == 1 ? "\"SepalLength\" \"SepalWidth\" \"Species\"\n"
                              : ",sepal length (cm),sepal width (cm),species\n");
        for (int i = 0; i < 60; i++) {
            const char blank = form == 1 ? ' ' : ',';
            add(form == 1 ? "\"%d\"%c" : "%d%c", form == 2 ? i : i + 1, blank);
            add("%d.%d%c%d.5%c%s\n", 4 + i % 4, i % 10, blank, i % 3, blank, species[i / 20]);
        }
        expect(&(expected){"", NM_WANTED_LABELS, 60, 2, 3, "Iris-setosa"});
    }
    nm_context_destroy(context);
}
END_TEST

START_TEST(wine_housing_and_digits_of_uci)
{
    begin(NULL);
    for (int i = 0; i < 178; i++) {
        add("%d,%d.%02d,.%d,%d\n", 1 + i / 60, 11 + i % 4, i % 97, 1 + i % 8, 300 + number(i, 0));
    }
    expect(&(expected){", target: 0", NM_WANTED_LABELS, 178, 3, 3, "1"});
    for (int i = 0; i < 100; i++) {
        add(" %d.%05d  %3d.00   %d  %6.2f\n", i % 9, number(i, 0), i % 100, i % 2, 5 + i / 3.0);
    }
    expect(&(expected){"", NM_WANTED_VALUES, 100, 3, 0, NULL});
    for (int i = 0; i < 200; i++) {
        for (int k = 0; k < 64; k++) {
            add("%d,", k == 0 ? 0 : number(i, k) % 17);
        }
        add("%d\n", number(i, 99) % 10);
    }
    expect(&(expected){"", NM_WANTED_LABELS, 200, 64, 10, NULL});
    nm_context_destroy(context);
}
END_TEST

START_TEST(the_tables_that_scikit_learn_ships)
{
    nm_dataset set;
    char more[512];
    begin(NULL);
    add("60,2,malignant,benign\n"); /* iris, wine, breast cancer */
    for (int i = 0; i < 60; i++) {
        add("%d.5,%d.25,%d\n", i, number(i, 0), i % 2);
    }
    expect(&(expected){"", NM_WANTED_LABELS, 60, 2, 2, "malignant"});
    add("Chins Situps Jumps\n5 162 60\n2 110 60\n12 101 101\n"); /* linnerud */
    snprintf(more, sizeof more, ", target_path: %s",
             write_file("physiological.csv",
                        "Weight Waist Pulse\n191 36 50\n189 37 52\n193 38 58\n", 49));
    open_wanted(&set, NM_WANTED_VALUES, text, more);
    expect_values(&set, 3, 3, (double[]){5, 162, 60, 2, 110, 60, 12, 101, 101});
    expect_targets(&set, 3, (double[]){191, 36, 50, 189, 37, 52, 193, 38, 58});
    nm_dataset_close(&set);
    length = 0;
    add("59 2 32.1 101.0\n48 1 21.6 87.0\n"); /* diabetes */
    snprintf(more, sizeof more, ", target_path: %s",
             write_file("target.csv", "1.510000000000000000e+02\n7.500000000000000000e+01\n", 50));
    open_wanted(&set, NM_WANTED_VALUES, text, more);
    expect_values(&set, 2, 4, (double[]){59, 2, 32.1, 101, 48, 1, 21.6, 87});
    expect_targets(&set, 1, (double[]){151, 75});
    nm_dataset_close(&set);
    length = 0;
    nm_context_destroy(context);
}
END_TEST

START_TEST(tables_of_texts_and_truth_values)
{
    static const char *const levels[] = {"low", "med", "high", "vhigh"};
    static const char *const months[] = {"Feb", "Mar", "May", "Nov"};
    begin(NULL);
    for (int i = 0; i < 120; i++) { /* car.data: no header, numbers among texts */
        add("%s,%s,%s,%s\n", levels[number(i, 0) % 4], i % 3 ? "2" : "5more", levels[i % 3],
            i % 4 ? "unacc" : "acc");
    }
    expect(&(expected){"", NM_WANTED_LABELS, 120, 9, 2, "acc"});
    for (int i = 0; i < 120; i++) { /* mushrooms: letters, the class first */
        add("%c,%c,%c\n", "ep"[number(i, 0) % 2], "xbsf"[number(i, 1) % 4], "ny"[i % 2]);
    }
    expect(&(expected){", target: 0", NM_WANTED_LABELS, 120, 4 + 1, 2, "e"});
    add("Pages,Month,Weekend,Revenue\n"); /* online shoppers */
    for (int i = 0; i < 120; i++) {
        add("%d,%s,%s,%s\n", i % 11, months[i % 4], i % 3 ? "FALSE" : "TRUE",
            i % 7 ? "FALSE" : "TRUE");
    }
    expect(&(expected){"", NM_WANTED_LABELS, 120, 1 + 4 + 1, 2, "FALSE"});
    add("\"age\";\"job\";\"balance\";\"y\"\n"); /* bank marketing */
    for (int i = 0; i < 120; i++) {
        add("%d;\"%s\";%d;\"%s\"\n", 18 + i % 60, i % 2 ? "admin." : "unknown", number(i, 0) - 500,
            i % 8 ? "no" : "yes");
    }
    expect(&(expected){"", NM_WANTED_LABELS, 120, 1 + 2 + 1, 2, "no"});
    add("X,month,temp,area\n"); /* forest fires */
    for (int i = 0; i < 120; i++) {
        add("%d,%s,%d.%d,%d.%d\n", i % 9, i % 2 ? "aug" : "sep", i % 30, i % 10, i % 5, i % 7);
    }
    expect(&(expected){"", NM_WANTED_VALUES, 120, 1 + 2 + 1, 0, NULL});
    nm_context_destroy(context);
}
END_TEST

START_TEST(tables_with_missing_cells_and_dates)
{
    begin(NULL);
    for (int i = 0; i < 120; i++) { /* adult.data: blanks behind commas */
        add("%d, %s, %d, %s\n", 17 + number(i, 0) % 60,
            i % 9 ? i % 2 ? "Private" : "State-gov" : "?", number(i, 1), i % 4 ? "<=50K" : ">50K");
    }
    expect(&(expected){", missing: mean", NM_WANTED_LABELS, 120, 1 + 2 + 1, 2, "<=50K"});
    add("Date;Time;CO(GT);T;RH;;\n"); /* air quality: decimal commas, empty columns and rows */
    for (int i = 0; i < 120; i++) {
        add("%02d/03/2004;%02d:00;%d,%d;%d,%d;%d,5;;\n", 1 + i % 31, i % 24, i % 5, i % 10,
            number(i, 0) % 30, i % 9, number(i, 1) % 80);
    }
    add(";;;;;;\n;;;;;;\n");
    expect(&(expected){"", NM_WANTED_VALUES, 120, 4, 0, NULL});
    add("\"Month\",\"Passengers\"\n"); /* airline passengers */
    for (int i = 0; i < 120; i++) {
        add("\"%d-%02d\",%d\n", 1949 + i / 12, 1 + i % 12, 112 + number(i, 0));
    }
    expect(&(expected){"", NM_WANTED_VALUES, 120, 1, 0, NULL});
    nm_context_destroy(context);
}
END_TEST

TEST_MAIN("optim/csv_published", iris_in_ten_forms, iris_with_an_id_as_kaggle_r_and_pandas_have_it,
          wine_housing_and_digits_of_uci, the_tables_that_scikit_learn_ships,
          tables_of_texts_and_truth_values, tables_with_missing_cells_and_dates)
