/* SPDX-License-Identifier: Apache-2.0 */
#include "coord_parts.h"

#include "agents.h"
#include "coord_journal.h"
#include "coord_store.h"
#include "deadlines.h"
#include "events.h"
#include "invitations.h"
#include "mail.h"
#include "provisions.h"
#include "queue_after.h"
#include "queue_memory.h"
#include "result_stream.h"
#include "routes.h"
#include "run_inbox.h"
#include "takeover.h"
#include "task_queue.h"
#include "turn_mailer.h"

enum { FILE_THREADS = 2, FILES_QUEUED = 64 };

bool coord_open(Coord *c, event_callback_fn step, event_callback_fn tick, Err *err)
{
    if (!coord_journal_lock(c, err) || !coord_journal_open(c, err))
        return false;
    c->base = event_base_new();
    (void)event_base_priority_init(c->base, HTTP_PRIORITIES);
    c->step = event_new(c->base, -1, 0, step, c);
    c->tick = event_new(c->base, -1, EV_PERSIST, tick, c);
    c->events = events_new();
    mail_open(c);
    turn_mailer_open(c);
    c->http = httpc_new(c->base);
    c->files = work_new(c->base, "files", FILE_THREADS, FILES_QUEUED);
    c->store = store_new(c, queue_read_anew);
    failover_open(c);
    provisions_open(c);
    invitations_open(c);
    queue_memory_open(c);
    c->result_streams = result_streams_new();
    if (!routes_open(c, err))
        return false;
    agents_configure(c);
    return true;
}

void coord_close(Coord *c)
{
    if (c->server)
        http_server_free(c->server);
    roles_free(c->roles);
    if (c->store) {
        queue_save(c);
        store_free(c);
    }
    if (c->files)
        work_free(c->files);
    if (c->base) {
        agents_free(c);
        httpc_free(c->http);
        result_streams_free(c->result_streams);
        failover_close(c);
        provisions_close(c);
        invitations_close(c);
        mail_close(c);
        turn_mailer_close(c);
        events_free(c->events);
        for (size_t i = 0; i < COUNT(c->signals); i++)
            if (c->signals[i])
                event_free(c->signals[i]);
        event_free(c->step);
        event_free(c->tick);
        event_base_free(c->base);
    }
    queue_after_free(c);
    deadlines_free(c);
    queue_memory_close(c);
    state_free_entries(c);
    run_inbox_free(c);
    lag_samples_done(&c->samples);
    coord_journal_close(c);
    free(c->topology_error);
    free(c->reload_trouble);
    free(c->certificate.warning);
    free(c->queue.load_error);
    free(c->incarnation);
    coordconf_free(&c->conf);
    free(c->config_path);
}
