/* Pairs of bf16, and products of them that are summed in f32. */
/* To each position, pairs of what stands there in both tiles. */
WIDE NM_INLINE void store_cells(vector tiles[PAIR][POSITIONS], float *to, int64_t step)
{
    for (int p = 0; p < POSITIONS; p++) {
        const wholes low = __builtin_convertvector(round_to_bf16(tiles[0][p]), wholes);
        const wholes high = __builtin_convertvector(round_to_bf16(tiles[1][p]), wholes);
        const wholes pairs = low | high << 16;
        memcpy(to + p * step, &pairs, sizeof pairs);
    }
}

/* Of x, B^T x B. */
WIDE static void load_input(const job *j, int64_t tile, float *to)
{
    const place at = place_of(j, tile);
    for (int64_t channel = 0; channel < j->in.channels; channel += LANES, to += j->in.panel) {
        vector moved[POSITIONS];
        load_tile(j, &at, channel, moved);
        for (int p = 0; p < POSITIONS; p++) {
            const halves rounded = round_to_bf16(moved[p]);
            memcpy(to + p * j->in.step, &rounded, sizeof rounded);
        }
    }
}

/* The products of a's pair with each of b's. */
WIDE NM_INLINE void add_product(vector *sum, const float *a, const vector *b)
{
    int32_t pair;
    memcpy(&pair, a, sizeof pair);
    *sum = (vector)_mm512_dpbf16_ps((__m512)*sum, (__m512bh)_mm512_set1_epi32(pair), (__m512bh)*b);
}
