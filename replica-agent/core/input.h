/* SPDX-License-Identifier: Apache-2.0
 * Everything that can happen to an agent, one at a time, with its time. Machines tell each other by inputs
 * too: they are posted, never called. An input owns what it carries.
 */
#pragma once

#include "order.h"
#include "state.h"

typedef enum InputKind {
    /* from outside */
    IN_BOOT,    /* the journal has been read: what was found is in the state. flag: no relay file is kept, so
                   that a pause that is on record had ended */
    IN_ENDING,  /* the agent is asked to end */
    IN_TICK,    /* time has passed */
    IN_READING, /* a look at the server, good or bad: `reading` */
    IN_OP,      /* an operation is back: `op` */
    IN_HOOK,    /* a hook has ended: flag = before_pause; err.kind ERR_NONE: well */
    IN_ROLE_HOOK, /* one after a promotion or demotion has ended: err.kind ERR_NONE: well; number: ms that it
                     took; flag2: it was not called */
    IN_STANDS,    /* owner's agent was asked: flag = it stands by this primary */
    IN_RESCUE_PROGRESS, /* number and total: transactions */
    IN_RESCUE_ENDED,    /* err.kind ERR_NONE: all is applied; ERR_DB: a person must mend something */
    IN_FILL,            /* the server is to be filled: `fill` */
    IN_FILL_PROGRESS,   /* text: its phase; number and total: bytes of it */
    IN_FILL_ENDED,      /* its program: err.kind ERR_NONE: filled; ERR_REFUSED: not to be tried again */
    IN_PROGRAM,         /* a run's program has ended, or could not be started: `program` */
    IN_PROGRESS,        /* of a run's program: `progress` */
    IN_SPLIT,           /* the list of a run's work has changed: flag = joined, `lost` */
    IN_ACCEPT,          /* POST runs, surveyed where it pauses: `spec` */
    IN_ALIGN,           /* `align` */
    IN_GO,
    IN_REQUEST,     /* text: stop, kill, sleep, wake */
    IN_GATHER,      /* `gather` */
    IN_FORGET,      /* a run that has ended */
    IN_FORGOTTEN,   /* its files are gone, or not (err) */
    IN_PAUSE,       /* by hand: `wish` */
    IN_RESUME,      /* by hand */
    IN_START,       /* by hand, without a lease: replication is to run; flag: see boot_start */
    IN_ROLE,        /* text: the role; number: the term */
    IN_TERM,        /* number: the term by hand, whatever was heard */
    IN_ORDER,       /* of a failover: `order` */
    IN_OPEN,        /* by hand: the primary is to be open to writes again */
    IN_HEARD,       /* the coordinator spoke: number = term or 0; text = the primary's position or NULL;
                       flag, flag2: `sole` and whether it said so; `written` or NULL */
    IN_RULES,       /* the configuration was read again */
    IN_NOT_WRITTEN, /* records could not be written, or not in time: flag2 = the role is among them, number:
                       the vote */
    IN_WRITTEN,     /* they could, after they could not */
    /* from one machine to another */
    IN_WISH,          /* a run wants a pause: `wish` */
    IN_RELEASE,       /* owner's pause is to end; owner NULL: whoever holds it (number: PauseEvent) */
    IN_MOVE_ON,       /* a run's pause is to move on: `align` */
    IN_CUT,           /* a run must end: `cut` */
    IN_LIMIT_SEALING, /* the pause's limit has passed while owner's run seals */
    IN_NEWS,          /* of the pause, for its owner: number = PauseNews, err */
    IN_MEETS, /* a server process is met: number = PauseEvent, or -1: the state's action again; text = why */
    IN_RUNS_SEEN,    /* … and what runs wait for */
    IN_BEFORE_PAUSE, /* owner, text = its reason: the hook comes before the lease */
    IN_TAKE,         /* the hook before the pause is over, err */
    IN_CAUGHT_UP,    /* the lease is dropped: text = its GTID, replay; flag = a next run begins at once */
    IN_KINDS
} InputKind;

typedef struct Reading {
    bool ok;
    Err err; /* unless ok */
    bool hangs;
    bool foreign; /* !ok: another agent has that server */
    DbVersion version;
    ReplStatus status; /* taken by the step */
    ReplSemiSync semi_sync;
    LeaseServer id;         /* taken by the step */
    LeaseSettings settings; /* taken by the step; members NULL: not known */
    char *log_file;         /* taken by the step; of a primary, NULL: not known */
    int64_t log_pos;
    int64_t begun_ms, spool_free, state_free, relay_free;
    char *relay_dir; /* NULL: not known */
} Reading;

typedef enum PauseNews {
    PAUSE_NEWS_FROZEN,    /* also after an alignment */
    PAUSE_NEWS_FAILED,    /* could not be paused or aligned: err; replication is being set right */
    PAUSE_NEWS_VOID,      /* the frozen state is lost: err */
    PAUSE_NEWS_RESTARTED, /* it was over already: the server restarted before replication was started again */
    PAUSE_NEWS_RESUMED,   /* the applier runs */
    PAUSE_NEWS_RELEASED,  /* caught up, settings back, the lease is gone */
    PAUSE_NEWS_NOT_HELD,  /* asked to release what it does not hold */
} PauseNews;

typedef struct PauseWish {
    char *owner, *reason, *by; /* owned */
    int64_t term, limit_ms;
    bool hold, allow_downstream, allow_delayed;
} PauseWish;

typedef struct RunCut {
    RunOutcome outcome;
    char *text; /* owned */
    ErrKind kind;
    bool hard; /* at once, without asking */
} RunCut;

/* What the edge has seen of a program that is over. */
typedef struct ProgramEnd {
    char *name;
    bool well;        /* status 0, by itself */
    bool lost;        /* its supervisor was killed; what it ran has been too */
    bool not_started; /* it never ran: err */
    bool late;        /* it was not begun: its order came too late */
    int64_t exit_code;
    Err err;          /* unless well: a sentence, and what kind of failure it is */
    bool can_restart; /* lost: its folder was prepared for another start */
    json_t *manifest; /* of a result that stands sealed; NULL: none could be read */
    json_t *detail;   /* what siding-load said; NULL: nothing */
    char *result_dir;
} ProgramEnd;

typedef struct Input {
    InputKind kind;
    int64_t now_ms, wall_ms; /* monotonic of the boot; wall clock */
    char *owner;             /* a run's id, or the owner of a pause */
    char *text, *by;         /* IN_FILL_PROGRESS: by: what it is at; NULL: not told */
    int64_t number;
    bool flag, flag2;
    int64_t total; /* IN_RESCUE_PROGRESS: of `number`; IN_HEARD: the newest state that it has */
    NodeRole role; /* IN_HEARD: what the coordinator has this node for */
    Err err;
    uint64_t token; /* of the request that waits for an answer; 0: none */
    Reading *reading;
    OpReport *op;
    ProgramEnd *program;
    WireProgress *progress;
    StrList *lost;
    RunSpec *spec;
    RunAlign *align;
    GatherOrder *gather;
    PauseWish *wish;
    RunCut *cut;
    Written *written;
    AgentOrder *order;
    FillOrder *fill;
    Replay *replay;     /* IN_NEWS of a resume: how it went so far */
    int64_t resumed_at; /* time */
    void *keep;         /* what `op` borrows from: the poster's, who frees it after the step */
} Input;

void input_free(Input *in); /* takes NULL */
const char *input_name(InputKind k);
