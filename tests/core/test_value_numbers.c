/* Numbers, whatever the locale. */
#include "tests/core/value_test.h"

/* ---- Numbers ---- */

START_TEST(integers_are_read_whole_or_not_at_all)
{
    static const struct {
        const char *text;
        int64_t value;
    } good[] = {{"0", 0},
                {"-0", 0},
                {"+7", 7},
                {"010", 10},
                {"0x1F", 31},
                {"-0xff", -255},
                {"9223372036854775807", INT64_MAX},
                {"-9223372036854775808", INT64_MIN},
                {"0x7fffffffffffffff", INT64_MAX}};
    static const char *const bad[] = {"",
                                      "-",
                                      "+",
                                      "0x",
                                      "1.0",
                                      "1e3",
                                      "1_000",
                                      " 1",
                                      "1 ",
                                      "--1",
                                      "0xg",
                                      "1,0",
                                      "abc",
                                      "9223372036854775808",
                                      "-9223372036854775809",
                                      "0x8000000000000000",
                                      "99999999999999999999999"};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        int64_t value = 99;
        ck_assert_msg(nm_parse_int(good[i].text, &value), "%s", good[i].text);
        ck_assert_int_eq(value, good[i].value);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        int64_t value = 99;
        ck_assert_msg(!nm_parse_int(bad[i], &value), "\"%s\"", bad[i]);
        ck_assert_int_eq(value, 99);
    }
}
END_TEST

static const struct {
    const char *text;
    double value;
} floats[] = {{"0", 0},
              {"1.5", 1.5},
              {"-.5", -.5},
              {"5.", 5},
              {"+1e-3", 1e-3},
              {"1E3", 1000},
              {"0x10", 16},
              {"1e308", 1e308},
              {"4.9e-324", 4.9406564584124654e-324},
              {"0e999", 0},
              {"123456789012345678901234567890", 1.2345678901234568e29},
              {"0.1", 0.1}};

static void check_floats(void)
{
    static const char *const bad[] = {
        "",    ".",   "-",     "e5",    "1e",     "1e+",    "1,5",   "1.5.2", "1 ",       " 1",
        "inf", "nan", "0x1p3", "1e999", "-1e999", "1e-400", "1_0.5", "1.5f",  "infinity", "-.nan"};
    for (size_t i = 0; i < sizeof floats / sizeof *floats; i++) {
        double value = 99;
        ck_assert_msg(nm_parse_float(floats[i].text, &value), "%s", floats[i].text);
        ck_assert_msg(value == floats[i].value, "%s is %.17g", floats[i].text, value);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        double value = 99;
        ck_assert_msg(!nm_parse_float(bad[i], &value), "\"%s\"", bad[i]);
        ck_assert_double_eq(value, 99);
    }
}

START_TEST(floats_are_read_whole_or_not_at_all)
{
    check_floats();
    double value;
    ck_assert(nm_parse_float(".inf", &value) && value == (double)INFINITY);
    ck_assert(nm_parse_float("-.Inf", &value) && value == -(double)INFINITY);
    ck_assert(nm_parse_float(".nan", &value) && isnan(value));
    char *text = repeat("0.", "1", 600);
    ck_assert(!nm_parse_float(text, &value));
    text[500] = 0;
    ck_assert(nm_parse_float(text, &value) && value == 0.1111111111111111111);
    free(text);
}
END_TEST

static const struct {
    double value;
    const char *text;
} formats[] = {{0, "0"},
               {-0.0, "-0"},
               {3, "3"},
               {-1.5, "-1.5"},
               {0.1, "0.1"},
               {1e-5, "1e-5"},
               {1.5e-5, "1.5e-5"},
               {0.0001, "0.0001"},
               {100, "100"},
               {60000, "60000"},
               {123456.789, "123456.789"},
               {1e15, "1000000000000000"},
               {1e16, "1e16"},
               {1e300, "1e300"},
               {1.0 / 3, "0.3333333333333333"},
               {2.2250738585072014e-308, "2.2250738585072014e-308"},
               {-1.7976931348623157e308, "-1.7976931348623157e308"},
               {4.9406564584124654e-324, "5e-324"},
               {9007199254740993.0, "9007199254740992"}};

static void check_formats(void)
{
    char text[32];
    for (size_t i = 0; i < sizeof formats / sizeof *formats; i++) {
        ck_assert_str_eq(nm_format_float(formats[i].value, text), formats[i].text);
    }
}

START_TEST(floats_are_written_shortest)
{
    char text[32];
    check_formats();
    ck_assert_str_eq(nm_format_float((double)INFINITY, text), ".inf");
    ck_assert_str_eq(nm_format_float(-(double)INFINITY, text), "-.inf");
    ck_assert_str_eq(nm_format_float((double)NAN, text), ".nan");
}
END_TEST

START_TEST(every_float_reads_back_as_itself)
{
    uint64_t state = 12345;
    for (int i = 0; i < 20000; i++) {
        state = state * 6364136223846793005u + 1442695040888963407u;
        uint64_t bits = state ^ state >> 29;
        double value, back;
        char text[32];
        memcpy(&value, &bits, sizeof value);
        if (isfinite(value)) {
            ck_assert_uint_lt(strlen(nm_format_float(value, text)), 32);
            ck_assert_msg(nm_parse_float(text, &back), "%s", text);
            ck_assert_msg(!memcmp(&value, &back, sizeof back), "%.17g became %s", value, text);
        }
    }
}
END_TEST

/* Some C libraries know any locale by name, and write a point in all of them. */
static bool set_comma(int category, const char *name)
{
    return setlocale(category, name) && strcmp(localeconv()->decimal_point, ",") == 0;
}

/* Switches to a locale with a decimal comma: an installed one, or one that is made here. */
static bool use_comma_locale(void)
{
    static const char *const names[] = {"de_DE.UTF-8", "de_DE.utf8", "fr_FR.UTF-8", "da_DK.UTF-8"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (set_comma(LC_ALL, names[i])) {
            return true;
        }
    }
    static const char source[] = "comment_char %\nescape_char /\nLC_NUMERIC\n"
                                 "decimal_point \"<U002C>\"\nthousands_sep \"<U002E>\"\n"
                                 "grouping 3;3\nEND LC_NUMERIC\n";
    char command[700];
    test_write_file(test_path("comma.src"), source, sizeof source - 1);
    snprintf(command, sizeof command, "localedef -c -i %s %s/comma >/dev/null 2>&1",
             test_path("comma.src"), test_folder());
    struct stat info;
    return system(command) != -1 && !stat(test_path("comma"), &info) &&
           !setenv("LOCPATH", test_folder(), 1) && set_comma(LC_NUMERIC, "comma");
}

/* libfann#32: a decimal comma from the locale breaks a saved file. */
START_TEST(a_locale_with_a_decimal_comma_changes_no_number)
{
    if (!use_comma_locale()) {
        fprintf(stderr, "no locale with a decimal comma can be had here\n");
        return;
    }
    char text[32];
    snprintf(text, sizeof text, "%.1f", 0.5);
    ck_assert_str_eq(text, "0,5"); /* the locale is in force */
    check_floats();
    check_formats();
    setlocale(LC_ALL, "C");
}
END_TEST

TEST_MAIN("core/value_numbers", integers_are_read_whole_or_not_at_all,
          floats_are_read_whole_or_not_at_all, floats_are_written_shortest,
          every_float_reads_back_as_itself, a_locale_with_a_decimal_comma_changes_no_number)
