/* Option specs: a C struct and a table that describes its fields. Whatever can be configured has
 * one; from it come YAML reading, --set, range checks, messages with places, `norma help`, the
 * reference pages and the JSON Schema. The defaults are a value of the struct itself, so they stand
 * in one place only. */
#ifndef NM_CORE_OPTION_H
#define NM_CORE_OPTION_H

#include <string.h>

#include "core/registry.h"
#include "core/value.h"

#ifdef __cplusplus
/* What options of an op begin with. No number that stands where an option does becomes one: a value
 * without a name, nm_sum(tape, x, 1), is refused here too. */
struct nm_options_have_names {
    size_t size;
    constexpr nm_options_have_names(size_t bytes) : size(bytes)
    {
    }
    template <class T> nm_options_have_names(T) = delete;
    constexpr operator size_t() const
    {
        return size;
    }
};

extern "C" {
#endif

#define NM_MAX_LIST 8    /* longest list an option takes (nm_ints, nm_floats) */
#define NM_MAX_CHOICES 8 /* most items of an option that takes several */

/* Lists are written .axes = NM_INTS(0, 1), .mean = NM_FLOATS(0.5). They begin with a mark that
 * these set: what is written without them (.axes = 1, .axes = {0, 1}) does not compile, is warned
 * of, or is refused by the call. */
#define NM_LIST ((const struct nm_list *)(uintptr_t)0x4e4d4c53)

typedef struct nm_list_written_NM_INTS { /* its name is for compilers' messages */
    const struct nm_list *list;          /* NM_LIST */
    int count;
    int64_t at[NM_MAX_LIST];
} nm_ints;

typedef struct nm_list_written_NM_FLOATS {
    const struct nm_list *list; /* NM_LIST */
    int count;
    double at[NM_MAX_LIST];
} nm_floats;

/* Texts, as many as there are, owned by the document. */
typedef struct nm_strings {
    int count;
    const char *const *at;
} nm_strings;

/* Numbers without a limit to their count, one a class say, or one of the option's words instead. */
typedef struct nm_numbers {
    int64_t count;
    const double *at; /* the document's, or the caller's */
    int word;         /* 0: the numbers (count 0: not given); else names[word - 1] of the option */
} nm_numbers;

/* The empty list, and for the initializers of static variables a list of `count` numbers. */
#define NM_NO_LIST                                                                                 \
    {                                                                                              \
        NM_LIST, 0,                                                                                \
        {                                                                                          \
            0                                                                                      \
        }                                                                                          \
    }
#define NM_LIST_OF(count, ...)                                                                     \
    {                                                                                              \
        NM_LIST, count,                                                                            \
        {                                                                                          \
            __VA_ARGS__                                                                            \
        }                                                                                          \
    }

#ifndef __cplusplus
#define NM_INTS(...)                                                                               \
    ((nm_ints){NM_LIST, sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t), {__VA_ARGS__}})
#define NM_FLOATS(...)                                                                             \
    ((nm_floats){NM_LIST, sizeof((double[]){__VA_ARGS__}) / sizeof(double), {__VA_ARGS__}})
/* Of constants, which live for ever. Others want an array with a name, and to say how many. */
#define NM_NUMBERS(...)                                                                            \
    (__extension__({                                                                               \
        static const double nm_at[] = {__VA_ARGS__};                                               \
        nm_numbers nm_list = {sizeof nm_at / sizeof nm_at[0], nm_at, 0};                           \
        nm_list;                                                                                   \
    }))
#define NM_STRINGS(...)                                                                            \
    (__extension__({                                                                               \
        static const char *const nm_at[] = {__VA_ARGS__};                                          \
        nm_strings nm_list = {sizeof nm_at / sizeof nm_at[0], nm_at};                              \
        nm_list;                                                                                   \
    }))
#endif

/* Options kept by value, as many bytes as `size`; 0: none. */
#define NM_OWN_OPTIONS 24
typedef struct nm_own_options {
    size_t size;
    double room[NM_OWN_OPTIONS];
} nm_own_options;

static inline nm_own_options nm_options_by_value(const void *options, size_t size)
{
    nm_own_options own;
    memset(&own, 0, sizeof own);
    if (size <= sizeof own.room) {
        memcpy(own.room, options, size);
        own.size = size;
    }
    return own;
}

/* A choice of one registered item with its options: `cosine` or `{cosine: {end: 0}}`. The options
 * are a filled struct of item->spec, by value (as nm_sgd(...) makes them), so that they live as
 * long as the choice, or by pointer, owned by the document the value came from or by the caller;
 * neither: the defaults. */
typedef struct nm_choice {
    const nm_item *item; /* NULL: not given */
    const void *options; /* NULL: by value, or the defaults */
    const nm_value *at;  /* where it stood; NULL if nowhere */
    nm_own_options own;
} nm_choice;

/* The options of a choice, wherever they are; NULL: its item has none. Part of the choice, if they
 * are kept by value. */
NM_API const void *nm_choice_options(const nm_choice *choice);

/* A choice with options by value, of at most NM_OWN_OPTIONS doubles: what nm_sgd() and its like
 * are. `defaults` are those of the struct, as its header has them. */
#ifdef __cplusplus
#define NM_CHOICE(item_, type, defaults, ...)                                                      \
    nm_lvalue(nm_choice_by_value<NM_ARE_NAMED(#__VA_ARGS__)>(&(item_).item, type{__VA_ARGS__}))
#else
#define NM_CHOICE(item_, type, defaults, ...)                                                      \
    ((nm_choice){.item = &(item_).item, .own = __extension__({                                     \
                                            type type##_set = {defaults};                          \
                                            NM_SET_ALL(type##_set, __VA_ARGS__)                    \
                                            nm_options_by_value(                                   \
                                                &type##_set,                                       \
                                                sizeof(type[sizeof(type) <= 8 * NM_OWN_OPTIONS])); \
                                        })})
#endif

/* Several of them: `[accuracy, f1]`, or one alone. */
typedef struct nm_choices {
    int count; /* 0: not given */
    nm_choice at[NM_MAX_CHOICES];
} nm_choices;

/* For a C call: .metric = NM_CHOICES({.item = &nm_metric_f1.item}) */
#ifndef __cplusplus
#define NM_CHOICES(...)                                                                            \
    ((nm_choices){sizeof((nm_choice[]){__VA_ARGS__}) / sizeof(nm_choice), {__VA_ARGS__}})
#endif

typedef enum nm_option_type {
    NM_OPTION_BOOL,    /* bool */
    NM_OPTION_INT,     /* int64_t */
    NM_OPTION_FLOAT,   /* double */
    NM_OPTION_STRING,  /* const char *, owned by the document; NULL allowed as default */
    NM_OPTION_ENUM,    /* int, an index into `names` */
    NM_OPTION_STRINGS, /* nm_strings; a single text is a list of one, a number is a text */
    NM_OPTION_INTS,    /* nm_ints; a single number is a list of one */
    NM_OPTION_FLOATS,  /* nm_floats; the same */
    NM_OPTION_STRUCT,  /* a nested struct of `spec`, in place; see below */
    NM_OPTION_NUMBERS, /* nm_numbers; as floats, or one of `names` (NULL: none) */
    NM_OPTION_CHOICE,  /* nm_choice among `kind` */
    NM_OPTION_CHOICES, /* nm_choices among `kind`; one alone is a list of one */
    NM_OPTION_VALUE    /* const nm_value *: the caller reads it himself */
} nm_option_type;

/* A nested struct is left at the outer struct's default by `null` or `false`, takes the defaults of
 * its own spec by `true`, and is read upon those from a map. So a part that can be switched off has
 * zeros as the outer default and a member that is no option, `bool on`, set in its own; it stands
 * first, and nm_spec_check() looks at the others where it is set.
 * A null leaves strings, choices, lists of either and NUMBERS at their defaults too; for other
 * types it is an error. */

#define NM_AUTO (-1) /* of a number that is at least 1: what the word "auto" stands for */

/* A word that may stand for a number. */
typedef struct nm_named_value {
    const char *name; /* NULL ends a list of them */
    double value;     /* anything, whatever the option's limits say */
} nm_named_value;

typedef struct nm_option {
    const char *name;
    size_t offset;
    nm_option_type type;
    const char *doc; /* one line, with its unit */
    double min, max; /* numbers (and list items); min == max: no limits. Both included */
    /* ENUM, NUMBERS: NULL-terminated; "true" is also yes and on. VALUE: what it is, one text, or
     * NULL.
     */
    const char *const *names;
    const nm_spec *spec; /* STRUCT; VALUE: of the maps in it, or NULL */
    nm_kind kind;        /* CHOICE */
    unsigned flags;
    const nm_named_value *named; /* INT, FLOAT: its words; NULL: none */
    const char *also; /* what others call it, with blanks between, for messages and help; NULL */
} nm_option;

#define NM_REQUIRED 1u /* leaving it out is an error */
#define NM_MIN_OPEN 2u /* the minimum itself is not allowed */
#define NM_MAX_OPEN 4u /* the maximum itself is not allowed */
#define NM_PATH 8u     /* texts are paths, see below */
/* STRUCT: a text or number alone is its first option: {from: x} is {from: {path: x}}. */
#define NM_SHORT 16u

#define NM_NO_LIMIT 1e300 /* min or max: no limit on that side */

/* Paths of files to read. In a YAML file they are meant from the file's own folder (one that is
 * found only from the current folder is taken from there, and that is logged as a warning); in
 * --set, from the current folder; in both, ~/ is the user's home. The field gets the path as it is
 * meant for this process. */

/* What to do instead of an option that there is not, or of a value that one does not take. */
typedef struct nm_advice {
    const char *option; /* what others call it, with blanks between */
    const char *value;  /* NULL: the option itself; else such values of it */
    const char *remedy; /* the end of a sentence: "put the activation behind it" */
} nm_advice;

struct nm_spec {
    const char *name;     /* of the struct, for documentation */
    size_t size;          /* of the struct */
    const void *defaults; /* a value of the struct */
    const nm_option *options;
    int count;
    /* A check across fields after all are read; reports with nm_diagnose(). May be NULL. */
    void (*check)(const void *options, const nm_value *at, nm_diagnostics *d);
    const nm_advice *advice; /* on what others have and this has not; ends with zeros; NULL: none */
};

/* A row of an option table:
 * {NM_FIELD(nm_softmax_options, axis), NM_OPTION_INT, .doc = "the axis to normalize"} */
#define NM_FIELD(type, field) .name = #field, .offset = offsetof(type, field)

/* Fills `out` (spec->size bytes) with the defaults and then from `map` (NULL or a null scalar: only
 * defaults). `what` names the thing in messages: `what: unknown option "kernal"; did you mean
 * "kernel"?`. Errors go to `d`, all of them; the struct is always left with legal contents. Memory
 * for choices comes from `document`, which may be NULL if `map` is. Numbers must not stand in
 * quotes; an int may be written 3.0 or 1e3; a bool is true/false, yes/no or on/off. */
NM_API void nm_spec_read(const nm_spec *spec, const nm_value *map, const char *what,
                         nm_document *document, nm_diagnostics *d, void *out);

/* Reads a choice among the registered items of a kind, as an option of type CHOICE would. On an
 * error in the name, `out` is untouched. */
NM_API void nm_choice_read(nm_kind kind, const nm_value *value, const char *what,
                           nm_document *document, nm_diagnostics *d, nm_choice *out);

/* The same for a list of them. On any error, `out` is untouched. */
NM_API void nm_choices_read(nm_kind kind, const nm_value *value, const char *what,
                            nm_document *document, nm_diagnostics *d, nm_choices *out);

/* Reads one YAML flow map such as "{axis: -1}" (NULL or "": only defaults) into `out`. For specs
 * without strings, choices and values, whose memory would be the text's: NM_ERROR_INTERNAL. */
NM_API nm_status nm_spec_read_text(nm_context *context, const nm_spec *spec, const char *text,
                                   const char *what, void *out);

/* Checks a struct filled by C code: ranges, list lengths, enum indexes, required pointers, and the
 * cross-field check. NM_ERROR_INPUT names every wrong option, one a line. What is not required may
 * also have its default, whatever the limits say (-1 for "chosen by the op"). */
NM_API nm_status nm_spec_check(nm_context *context, const nm_spec *spec, const char *what,
                               const void *options);

/* An option's type ("int", "[float]", "one of he, xavier"), its default ("0.1", "[1, 1]", "none",
 * "required") and its range ("at least 0 and below 1", or "" without limits) as text, for help and
 * reference. The result is new memory; free with nm_free(). NULL if there is none left. */
NM_API char *nm_option_type_text(nm_context *context, const nm_option *option);
NM_API char *nm_option_default_text(nm_context *context, const nm_spec *spec,
                                    const nm_option *option);
NM_API char *nm_option_range_text(nm_context *context, const nm_option *option);
/* The value that it has in a struct, in the same way; of a choice the name. */
NM_API char *nm_option_value_text(nm_context *context, const nm_option *option,
                                  const void *options);

/* Whether the option has the same value in both structs; texts, values and choices of one item are
 * the same only where they are one in memory. */
NM_API bool nm_option_same(const nm_option *option, const void *a, const void *b);

/* ---- Calls with options by name: nm_softmax(tape, x, .axis = 0) ----
 *
 * Such a call is a macro over nm_softmax_with(), which takes a struct that begins with a member
 * `size_t struct_size`, so that a struct of another version of the library is noticed. In C, the
 * struct is one of the defaults to whose members what the caller wrote is assigned, one by one. (In
 * a literal, as `{defaults, .axis = 0}`, compilers would warn that the one overrides the other.) A
 * value without a name is an error of syntax. In C++ (from C++20 on, which has names for members)
 * the defaults are those of the members, and the options stand in the struct's order.
 *
 * NM_OPTIONS() points to the struct, which lives as long as the block around the call;
 * NM_OPTIONS_VALUE() is the struct itself: NM_TRAIN_OPTIONS(.epochs = 3) and its like are. What
 * options point to, such as the numbers of a list, must live longer than the parentheses that they
 * stand in: an array with a name, or NM_NUMBERS(). */
#ifdef __cplusplus
#define NM_DEFAULT(...) = __VA_ARGS__ /* a member's default, for C++ */
#define NM_STRUCT_SIZE(type) nm_options_have_names struct_size = sizeof(type)
#define NM_END(type)
#define NM_OPTIONS(type, defaults, ...) (&nm_lvalue(type{__VA_ARGS__}))
#define NM_OPTIONS_SET(type, defaults, member, value, ...)                                         \
    (&nm_lvalue(nm_set_member(type{__VA_ARGS__}, &type::member, value)))
#else
/* clang shows no line of these macros for .axes = {1}, so it is told what to say. */
#ifdef __clang__
#pragma clang diagnostic push
#pragma clang diagnostic ignored "-Wgcc-compat"
#define NM_BRACE(text) __builtin_strchr(text, '{')
int nm_braces(const char *text) __attribute__((
    diagnose_if(NM_BRACE(text) && NM_BRACE(text)[NM_BRACE(text)[-1] == ' ' ? -2 : -1] == '=',
                "lists are written .axes = NM_INTS(0, 1), .mean = NM_FLOATS(0.5)", "error")));
#pragma clang diagnostic pop
#define NM_NO_BRACES(option) (void)sizeof(nm_braces("  " #option));
#else
#define NM_NO_BRACES(option)
#endif
#define NM_DEFAULT(...)
#define NM_STRUCT_SIZE(type) size_t struct_size  /* the first member of each such struct */
#define NM_END(type) .struct_size = sizeof(type) /* the end of a list of options */
#define NM_OPTIONS_VALUE(type, defaults, ...)                                                      \
    (__extension__({                                                                               \
        type type##_set = {defaults};                                                              \
        NM_SET_ALL(type##_set, __VA_ARGS__)                                                        \
        type##_set;                                                                                \
    }))
#define NM_OPTIONS(type, defaults, ...)                                                            \
    ((const type[1]){__extension__({                                                               \
        type type##_set = {defaults};                                                              \
        NM_SET_ALL(type##_set, __VA_ARGS__)                                                        \
        type##_set;                                                                                \
    })})
/* The same with another default for a member. */
#define NM_OPTIONS_SET(type, defaults, member, value, ...)                                         \
    ((const type[1]){__extension__({                                                               \
        type type##_set = {defaults};                                                              \
        type##_set.member = (value);                                                               \
        NM_SET_ALL(type##_set, __VA_ARGS__)                                                        \
        type##_set;                                                                                \
    })})
#endif

/* o .axis = 0; o .eps = 1; ... for up to 32 of them; those that are not there say nothing. */
#define NM_SET_ALL(o, ...)                                                                         \
    NM_SET_32(o, __VA_ARGS__, , , , , , , , , , , , , , , , , , , , , , , , , , , , , , , , , )
#define NM_SET_32(o, a, b, c, d, e, f, g, h, i, j, k, l, m, n, p, q, r, s, t, u, v, w, x, y, z,    \
                  aa, bb, cc, dd, ee, ff, gg, too_many, ...)                                       \
    NM_SET_8(o, a, b, c, d, e, f, g, h)                                                            \
    NM_SET_8(o, i, j, k, l, m, n, p, q)                                                            \
    NM_SET_8(o, r, s, t, u, v, w, x, y)                                                            \
    NM_SET_8(o, z, aa, bb, cc, dd, ee, ff, gg)                                                     \
    (void)(0 too_many);
/* Where a value does not compile, gcc and clang show these lines, so they say how lists are
 * written.
 */
#define NM_SET_8(o, a, b, c, d, e, f, g, h)                                                        \
    NM_LISTS_ARE_WRITTEN_NM_INTS(o, a, b, c, d)                                                    \
    NM_LISTS_ARE_WRITTEN_NM_INTS(o, e, f, g, h)
#define NM_LISTS_ARE_WRITTEN_NM_INTS(o, a, b, c, d)                                                \
    NM_NO_BRACES(a)                                                                                \
    NM_NO_BRACES(b)                                                                                \
    NM_NO_BRACES(c)                                                                                \
    NM_NO_BRACES(d)                                                                                \
    (void)(o a), (void)(o b), (void)(o c), (void)(o d); /* .axes = NM_INTS(0, 1), NM_FLOATS(.5) */

/* Beside each such struct stands a function that sets it to its defaults, for languages that have
 * neither these macros nor members' defaults: nm_softmax_options_init(&options). Defined so: */
NM_API void nm_options_take(void *options, const void *defaults, size_t size);
#define NM_OPTIONS_INIT(type, defaults)                                                            \
    void type##_init(type *options)                                                                \
    {                                                                                              \
        nm_options_take(options, &(defaults), sizeof *options);                                    \
    }

/* NAME_(arguments, end), which must be at least so many; fewer are an error at the place of the
 * call, since NAME_needs() is a macro of as many and one more. */
#define NM_CALL(least, name, end, ...)                                                             \
    NM_PASTE(name, NM_ENOUGH_##least(__VA_ARGS__))(__VA_ARGS__, end)
#define NM_PASTE(a, b) NM_PASTE_(a, b)
#define NM_PASTE_(a, b) a##b
#define NM_18_ENOUGH _, _, _, _, _, _, _, _, _, _, _, _, _, _, _, _, _, _
#define NM_19_ENOUGH NM_18_ENOUGH, _
#define NM_ENOUGH_2(...) NM_25TH(__VA_ARGS__, NM_19_ENOUGH, _, _, _, _, _needs, 0)
#define NM_ENOUGH_3(...) NM_25TH(__VA_ARGS__, NM_19_ENOUGH, _, _, _, _needs, _needs, 0)
#define NM_ENOUGH_4(...) NM_25TH(__VA_ARGS__, NM_19_ENOUGH, _, _, _needs, _needs, _needs, 0)
#define NM_ENOUGH_5(...) NM_25TH(__VA_ARGS__, NM_19_ENOUGH, _, _needs, _needs, _needs, _needs, 0)
#define NM_ENOUGH_6(...)                                                                           \
    NM_25TH(__VA_ARGS__, NM_19_ENOUGH, _needs, _needs, _needs, _needs, _needs, 0)
#define NM_ENOUGH_7(...)                                                                           \
    NM_25TH(__VA_ARGS__, NM_18_ENOUGH, _needs, _needs, _needs, _needs, _needs, _needs, 0)
#define NM_25TH(...) NM_25TH_(__VA_ARGS__)
#define NM_25TH_(a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, q, r, s, t, u, v, w, x, y, ...) y

#ifdef __cplusplus
}

/* What C has literals for: temporaries that live to the end of the call they stand in. */
template <class T> T &nm_lvalue(T &&temporary)
{
    return temporary;
}

template <class T, class V, class W> T nm_set_member(T options, V T::*member, W value)
{
    options.*member = static_cast<V>(value);
    return options;
}

/* Whether there are none, or they begin as .rate = 0.1 does. */
#define NM_ARE_NAMED(options) ((options)[0] == 0 || (options)[0] == '.')

template <bool are_named, class T>
nm_choice nm_choice_by_value(const nm_item *item, const T &options)
{
    static_assert(are_named, "options have names: nm_sgd(.rate = 0.1)");
    static_assert(sizeof(T) <= sizeof(double) * NM_OWN_OPTIONS, "too many options");
    nm_choice choice = {};
    choice.item = item;
    choice.own = nm_options_by_value(&options, sizeof options);
    return choice;
}

template <class... T> nm_ints NM_INTS(T... numbers)
{
    return nm_ints{
        NM_LIST, static_cast<int>(sizeof...(numbers)), {static_cast<int64_t>(numbers)...}};
}

template <class... T> nm_floats NM_FLOATS(T... numbers)
{
    return nm_floats{
        NM_LIST, static_cast<int>(sizeof...(numbers)), {static_cast<double>(numbers)...}};
}
#endif
#endif
