/* How a table's cells are told apart, found from the file where the options leave it open. */
#include "optim/data/csv/csv.h"

/* A file whose first line is a comment has comments. */
static char find_comment(const csv_text *text)
{
    const char *at = text->begin;
    while (*at == ' ' || *at == '\t' || *at == '\n' || *at == '\r') {
        at++;
    }
    return (char)(*at == '#' || *at == '%' ? *at : 0);
}

nm_status nm_csv_find_form(csv_table *t, const nm_schema *schema)
{
    nm_status status;
    t->form.comment = find_comment(&t->text);
    if ((status = nm_csv_find_separator(t)) != NM_OK || (status = nm_csv_find_marks(t)) != NM_OK) {
        return status;
    }
    return nm_csv_find_header(t, schema);
}
