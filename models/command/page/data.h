/* Tables, and a figure's data as a table. */
#ifndef NM_MODELS_COMMAND_PAGE_DATA_H
#define NM_MODELS_COMMAND_PAGE_DATA_H

#include <stdio.h>

#include "models/command/page/figure.h"

void put_table(FILE *to, const table *t);
/* In a <details> element. Of many points some, evenly, and it says so. */
void put_data(FILE *to, const figure *f);

#endif
