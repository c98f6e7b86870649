/* SPDX-License-Identifier: Apache-2.0
 * A file of a sealed result, from the agent that holds it to a client that has no way to that agent: in
 * parts, each asked for when the one before has left, so that an answer takes one part of memory however slow
 * its client is. Each part has a deadline, at the agent and at the client. Nothing is checked here but that
 * all parts are of one version: whoever fetches compares the files with their checksums.
 */
#pragma once

#include "common/net/http.h"
#include "coord_state.h"

struct ResultStreams *result_streams_new(void);
void result_streams_free(struct ResultStreams *s); /* after the HTTP server and client: none is under way */
/* Answers `req`, at once or later. */
void result_stream(Coord *c, HttpRequest *req, const AgentLink *a, const char *run, const char *file);
