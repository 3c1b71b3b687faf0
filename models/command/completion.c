/* norma completion: a bash completion script, made from the same tables as the help. The build
 * installs what it prints. */
#include <stdio.h>

#include "models/command/command.h"
#include "models/command/options.h"

static void print_flags(const command *c)
{
    printf("    %s) flags='", c->name);
    for (int i = 0; flag_at(c, i); i++) {
        printf("%s%s", i ? " " : "", flag_at(c, i)->name);
    }
    puts("' ;;");
}

static int run_completion(nm_context *context, const arguments *a)
{
    const command *const *commands = a->commands;
    fputs("# bash completion for norma; made by `norma completion`\n"
          "_norma()\n{\n"
          "    local word=${COMP_WORDS[COMP_CWORD]} flags='' names=''\n"
          "    if [ \"$COMP_CWORD\" -eq 1 ]; then\n"
          "        COMPREPLY=($(compgen -W '",
          stdout);
    for (int i = 0; commands[i]; i++) {
        printf("%s%s", i ? " " : "", commands[i]->name);
    }
    puts("' -- \"$word\"))\n        return\n    fi\n    case ${COMP_WORDS[1]} in");
    for (int i = 0; commands[i]; i++) {
        print_flags(commands[i]);
    }
    puts("    esac\n    case ${COMP_WORDS[1]} in");
    fputs("    op | gradcheck) names='", stdout);
    for (int i = 0; i < nm_item_count(context, NM_KIND_OP); i++) {
        printf("%s ", nm_item_at(context, NM_KIND_OP, i)->name);
    }
    fputs("' ;;\n    help) names='", stdout);
    const char *names[MOST_NAMES];
    int count = help_names(context, commands, names);
    for (int i = 0; i < count; i++) {
        printf("%s ", names[i]);
    }
    puts("' ;;\n    esac\n"
         "    COMPREPLY=($(compgen -W \"$flags $names\" -- \"$word\"))\n"
         "    if [ -z \"$names\" ] && [ \"${word#-}\" = \"$word\" ]; then\n"
         "        COMPREPLY+=($(compgen -f -- \"$word\"))\n"
         "    fi\n"
         "}\ncomplete -o filenames -F _norma norma");
    return EXIT_FINE;
}

const command command_completion = {
    .name = "completion",
    .usage = "",
    .summary = "print a completion script for bash",
    .doc = "Prints a completion script: source <(norma completion)",
    .run = run_completion,
};
