/* SPDX-License-Identifier: Apache-2.0
 * Which files of a result an upload takes. Asked when a result is sealed and again when it is loaded. Pure.
 */
#pragma once

#include "common/file/json.h"

/* Rows that an upload of `mode` ("": none) into the target would leave out: ERR_REFUSED names the first.
 * `files` as in the manifest. */
MUST_CHECK bool uploadfiles_check(const char *mode, const char *target, const json_t *files, Err *err);
