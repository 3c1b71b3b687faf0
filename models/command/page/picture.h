/* Pictures as text. */
#ifndef NM_MODELS_COMMAND_PAGE_PICTURE_H
#define NM_MODELS_COMMAND_PAGE_PICTURE_H

#include <stdio.h>

#include "models/command/page/page.h"
#include "models/command/text_stream.h"

/* "data:image/png;base64,...": what an image's `src` takes. */
void put_png(FILE *to, nm_context *context, const page_picture *picture);

#endif
