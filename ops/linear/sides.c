#include "ops/linear/sides.h"

const nm_named_value nm_padding_names[] = {{"same", NM_PADDING_SAME}, {NULL, 0}};

static bool is_same(const nm_ints *padding)
{
    return padding->count == 1 && padding->at[0] == NM_PADDING_SAME;
}

nm_sides nm_find_sides(const nm_ints *padding, const int64_t image[2], const int64_t reach[2],
                       const int64_t stride[2])
{
    nm_sides s = {{0}, {0}};
    for (int i = 0; i < 2 && padding->count; i++) {
        const int per_axis = padding->count / 2; /* 0: one number for all */
        s.before[i] = padding->at[per_axis * i];
        s.after[i] = padding->at[per_axis == 2 ? 2 * i + 1 : per_axis * i];
        if (is_same(padding)) {
            const int64_t rest = image[i] > 0 ? (image[i] - 1) % stride[i] : 0;
            const int64_t all = reach[i] - 1 > rest ? reach[i] - 1 - rest : 0;
            s.before[i] = all / 2;
            s.after[i] = all - all / 2;
        }
    }
    return s;
}

bool nm_sides_are_fine(const nm_ints *padding)
{
    const int count = padding->count;
    bool fine = count == 0 || count == 1 || count == 2 || count == 4;
    for (int i = 0; i < count; i++) {
        fine = fine && (padding->at[i] >= 0 || is_same(padding));
    }
    return fine;
}

nm_status nm_check_sides(const nm_infer *infer, const nm_ints *padding)
{
    return nm_sides_are_fine(padding) ? NM_OK
                                      : nm_infer_fail(infer, "padding takes " NM_PADDING_FORM);
}
