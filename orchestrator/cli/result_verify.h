/* SPDX-License-Identifier: Apache-2.0
 * A sealed result against its SHA256SUMS and its manifest, read in place or as it is fetched.
 */
#pragma once

#include <jansson.h>

#include "common/base/err.h"
#include "common/base/str.h"
#include "common/net/resultfetch.h"

/* `result` is the answer of /v1/results/RUN; what is not on this host is read from `from`. *ret: {"run",
 * "node", "from", "ok", "files": [{"name", "ok", "error"}]}. Fails only where nothing can be said (node
 * unreachable, no SHA256SUMS). */
MUST_CHECK bool verify_result(const json_t *result, const ResultSource *from, json_t **ret, Err *err);

/* The folder that it names is on this host, and is this result: another host's may have the same name. */
bool verify_is_here(const json_t *result);

/* Lines "<64 hex>  <name>" of sha256sum; paths out of the folder are refused. Pure. */
MUST_CHECK bool verify_parse_sums(const char *text, StrList *ret_sums, StrList *ret_names, Err *err);
