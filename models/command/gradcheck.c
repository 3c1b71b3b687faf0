/* norma gradcheck: the check that the tests run, for built-in ops and plugins alike. */
#include <stdio.h>

#include "models/command/command.h"

static int check_one(nm_context *context, const char *name, bool json)
{
    nm_check_result result;
    nm_status status = nm_check_op(context, name, &result);
    if (json) {
        json_line line = {0};
        json_string(&line, "op", name);
        json_integer(&line, "samples", result.samples);
        json_number(&line, "first_order_error", result.first_error);
        json_number(&line, "second_order_error", result.second_error);
        json_string(&line, "error", status == NM_OK ? NULL : nm_context_error(context));
        json_end(&line);
    } else if (status == NM_OK) {
        printf("%-20s %2d samples   first order %.1e   second order %.1e\n", name, result.samples,
               result.first_error, result.second_error);
    }
    if (status == NM_OK) {
        return EXIT_FINE;
    }
    int code = json ? EXIT_FAILED : report_error(context);
    nm_context_clear_error(context);
    return status == NM_ERROR_INPUT ? code : EXIT_FAILED;
}

static int run_gradcheck(nm_context *context, const arguments *a)
{
    bool json = argument_value(a, "--json") != NULL;
    int worst = EXIT_FINE;
    int count = a->count ? a->count : nm_item_count(context, NM_KIND_OP);
    for (int i = 0; i < count; i++) {
        const char *name = a->count ? a->positional[i] : nm_item_at(context, NM_KIND_OP, i)->name;
        if (!nm_require(context, NM_KIND_OP, name)) {
            return report_error(context);
        }
        int code = check_one(context, name, json);
        worst = code > worst ? code : worst;
    }
    return worst;
}

const command command_gradcheck = {
    .name = "gradcheck",
    .usage = "[OP...]",
    .summary = "check gradients against differences",
    .doc = "Checks the gradient, and the gradient of the gradient, of the given ops (all without "
           "arguments) in f64 against central differences, weighted by random output gradients. "
           "Prints the largest relative errors.",
    .flags = {{"--json", NULL, "one JSON object a line on standard output"}},
    .most = -1,
    .run = run_gradcheck,
};
