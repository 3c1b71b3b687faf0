/* Looking at values. */
#include "core/value.h"

#include <string.h>

#include "core/guard.h"
#include "core/value_internal.h"

const nm_value *nm_value_get(const nm_value *map, const char *key)
{
    NM_GIVEN(key, NULL);
    for (int i = 0; map && map->kind == NM_VALUE_MAP && i < map->count; i++) {
        if (!strcmp(map->entries[i].key->text, key)) {
            return map->entries[i].value;
        }
    }
    return NULL;
}

const nm_value *nm_value_place(const nm_value *map, const char *key)
{
    NM_GIVEN(key, NULL);
    const nm_value *value = nm_value_get(map, key);
    return value ? value : map;
}

static bool is_upper(char c)
{
    return c >= 'A' && c <= 'Z';
}

/* YAML writes its words in three ways: true, True, TRUE. Others, such as tRue, are plain text. The
 * C library's comparisons are of no use here, since they follow the locale. */
static bool is_word(const char *text, const char *lower)
{
    bool first = is_upper(*text), rest = first && is_upper(text[1]);
    for (bool upper = first; *lower; text++, lower++, upper = rest) {
        if (*text != (upper ? *lower - 'a' + 'A' : *lower)) {
            return false;
        }
    }
    return !*text;
}

bool nm_value_is_null(const nm_value *value)
{
    return value && value->kind == NM_VALUE_SCALAR && !value->quoted &&
           (!*value->text || !strcmp(value->text, "~") || is_word(value->text, "null"));
}

bool nm_value_as_bool(const nm_value *value, bool *result)
{
    static const char *const words[] = {"false", "true", "no", "yes", "off", "on"};
    for (int i = 0; value->kind == NM_VALUE_SCALAR && !value->quoted && i < 6; i++) {
        if (is_word(value->text, words[i])) {
            *result = i % 2;
            return true;
        }
    }
    return false;
}
