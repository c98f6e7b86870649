/* SPDX-License-Identifier: Apache-2.0
 * POST /v1/cluster/reset-term.
 */
#pragma once

#include "common/net/http.h"

void handle_reset_term(HttpRequest *req, void *context);
