/* For cppcheck, whose preprocessor takes the commas in a macro's defaults for those between
 * arguments: calls with options, without what the options are. It is included before all else. */
#include "core/option.h"

#undef NM_OPTIONS_VALUE
#undef NM_OPTIONS
#undef NM_OPTIONS_SET
#undef NM_CHOICE
#undef NM_CALL
#define NM_OPTIONS_VALUE(type, ...) ((type){0})
#define NM_OPTIONS(type, ...) (&(const type){0})
#define NM_OPTIONS_SET(type, ...) (&(const type){0})
#define NM_CHOICE(item_, ...) ((nm_choice){.item = &(item_).item})
#define NM_CALL(least, name, last_of_all, ...) name##_(__VA_ARGS__, last_of_all)
