/* SPDX-License-Identifier: Apache-2.0
 * The text of `metadata` as mydumper 0.10 writes it. Pure.
 */
#pragma once

#include "snapshot.h"

void metadata_write(Str *out, const Snapshot *s, int64_t finished_at);
