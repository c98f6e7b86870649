/* SPDX-License-Identifier: Apache-2.0 */
#include "queue_memory.h"

#include "common/base/clock.h"
#include "orchestrator/core/queue_brakes.h"
#include "queue_impl.h"
#include "zones.h"

enum { ABSENT_MS = 30000 };

void queue_memory_open(Coord *c)
{
    c->slots = slots_new();
    zones_open(c);
    c->queue.memory = NEW(QueueMemory);
    c->queue.memory->next_number = INT64_C(1) << QUEUE_NUMBERS;
    c->queue.memory->clock_offset_ms = clock_wall_ms() - clock_mono_ms();
}

void queue_memory_close(Coord *c)
{
    QueueMemory *m = c->queue.memory;
    for (size_t i = 0; m && i < m->n_claims; i++)
        strlist_done(&m->claims[i].nodes);
    for (size_t i = 0; m && i < QUEUE_SIGHTS; i++)
        free(m->sights[i].gtid);
    if (m) {
        queue_asked_free(c);
        queue_forget_jobs(c);
        brakes_free(&m->brakes);
        free(m->claims);
        free(m->wanted.v);
    }
    free(m);
    slots_free(c->slots);
    zones_free(c);
}

void queue_claim_add(Coord *c, int64_t id, const StrList *nodes)
{
    QueueMemory *m = c->queue.memory;
    m->claims = xrealloc(m->claims, (m->n_claims + 1) * sizeof *m->claims);
    QueueClaim *q = &m->claims[m->n_claims++];
    *q = (QueueClaim){.id = id};
    strlist_add_all(&q->nodes, nodes);
}

void queue_claim_drop(Coord *c, int64_t id)
{
    QueueMemory *m = c->queue.memory;
    for (size_t i = 0; i < m->n_claims; i++)
        if (m->claims[i].id == id) {
            strlist_done(&m->claims[i].nodes);
            m->claims[i] = m->claims[--m->n_claims];
            return;
        }
}

bool queue_is_claimed(const Coord *c, int64_t id)
{
    const QueueMemory *m = c->queue.memory;
    for (size_t i = 0; i < m->n_claims; i++)
        if (m->claims[i].id == id)
            return true;
    return false;
}

const QueueClaim *queue_claim_on(const Coord *c, const char *node)
{
    const QueueMemory *m = c->queue.memory;
    for (size_t i = 0; i < m->n_claims; i++)
        if (strlist_has(&m->claims[i].nodes, node))
            return &m->claims[i];
    return NULL;
}

bool queue_is_absent(const Coord *c, int64_t id)
{
    const QueueMemory *m = c->queue.memory;
    for (size_t i = 0; i < QUEUE_ABSENT; i++)
        if (m->absent[i].id == id && clock_mono_ms() < m->absent[i].until_ms)
            return true;
    return false;
}

void queue_note_absent(Coord *c, int64_t id)
{
    QueueMemory *m = c->queue.memory;
    m->absent[m->next_absent].id = id;
    m->absent[m->next_absent].until_ms = clock_mono_ms() + ABSENT_MS;
    m->next_absent = (m->next_absent + 1) % QUEUE_ABSENT;
    m->after_ended = true;
}

static bool is_wanted(const QueueMemory *m, int64_t id)
{
    for (size_t i = 0; i < m->wanted.n; i++)
        if (m->wanted.v[i] == id)
            return true;
    return false;
}

void queue_look_up(Coord *c, int64_t task)
{
    QueueMemory *m = c->queue.memory;
    if (!c->loaded || is_wanted(m, task) || queue_is_absent(c, task))
        return;
    qdb_ids_add(&m->wanted, task);
    coord_step_soon(c);
}

void queue_sight_set(Coord *c, int64_t id, char *gtid, int64_t at)
{
    QueueSight *s = &c->queue.memory->sights[(uint64_t)id % QUEUE_SIGHTS];
    free(s->gtid);
    *s = (QueueSight){id, gtid, at};
}

QueueSight *queue_sight(Coord *c, int64_t id)
{
    QueueSight *s = &c->queue.memory->sights[(uint64_t)id % QUEUE_SIGHTS];
    return s->id == id && s->gtid ? s : NULL;
}
