/* SPDX-License-Identifier: Apache-2.0 */
#include "bucket.h"

#define LONGEST_MS 1e15 /* of a piece and a rate that do not go together */

void bucket_init(Bucket *b, int64_t per_s, int64_t now_ms)
{
    *b = (Bucket){.per_s = per_s < 1 ? 1 : per_s, .at_ms = now_ms};
}

int64_t bucket_take(Bucket *b, int64_t n, int64_t now_ms)
{
    if (now_ms > b->at_ms)
        b->owed_ms -= (double)now_ms - (double)b->at_ms;
    b->at_ms = now_ms;
    if (b->owed_ms < -BUCKET_SPARE_MS)
        b->owed_ms = -BUCKET_SPARE_MS;
    b->owed_ms += (double)n * 1000 / (double)b->per_s;
    if (b->owed_ms > LONGEST_MS)
        b->owed_ms = LONGEST_MS;
    return b->owed_ms > 0 ? (int64_t)b->owed_ms : 0;
}
