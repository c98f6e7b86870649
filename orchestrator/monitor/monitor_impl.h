/* SPDX-License-Identifier: Apache-2.0
 * Inside the monitor. One struct holds what is known (feeds, replaced whole by answers), what the person sees
 * of it (views), and what he is doing (the box in front, the plan that a box asks about).
 */
#pragma once

#include "common/wire/wire_node.h"
#include "common/wire/wire_task.h"
#include "flow.h"
#include "monitor.h"

typedef enum MonitorView {
    VIEW_DONE = 1,
    VIEW_LIVE,
    VIEW_ARCHIVE,
    VIEW_ONCE, /* live and not periodic */
    VIEW_REPLICAS,
    VIEW_SCHEDULES,
    VIEW_EVENTS,
    VIEWS
} MonitorView;

/* What is asked of sidingd again and again. */
typedef enum Feed {
    FEED_STATUS,
    FEED_ACTIVE,
    FEED_FAILED,
    FEED_WAITING,
    FEED_DONE,
    FEED_ARCHIVE,
    FEED_SCHEDULES,
    FEED_EVENTS,
    FEED_TASK,
    FEED_WHY,
    FEED_SOUGHT,
    FEED_LOG,
    FEEDS,
    FEED_ACTION = FEEDS, /* not again: what a person asked for */
} Feed;

typedef struct FeedState {
    bool asked;     /* an answer is still to come */
    bool stale;     /* something happened: ask again at once */
    int64_t due_ms; /* not before */
    int64_t answer; /* the number of its last answer among all */
} FeedState;

typedef struct Ask {
    uint64_t id;
    Feed feed;
    bool sent;
    char *method, *path;
    json_t *body;
    int64_t timeout_ms;
    char *what; /* of an action: "kill task 12" */
    struct Ask *next;
} Ask;

/* One line of a view; points into the feeds, and is built again after each of their answers. */
typedef struct MonitorRow {
    char key[72];
    const Task *task;
    const Node *node;
    const json_t *json; /* an event, a schedule */
} MonitorRow;

typedef struct ViewState {
    char chosen[72]; /* key of the line under the cursor; "": none yet */
    size_t index;    /* where it was last */
    size_t top;
    int64_t lost_ms; /* since when the chosen line is not there; 0: it is */
    bool moved;      /* a key was pressed: until then the cursor goes to what failed first */
    StrList tags;    /* keys */
    int sort;        /* a column + 1; 0: the view's own order */
    bool reversed;
    char *filter;
} ViewState;

typedef enum BoxKind { BOX_NONE, BOX_TEXT, BOX_CONFIRM, BOX_PROMPT, BOX_CHOICE, BOX_LOG } BoxKind;

struct Monitor;
typedef void (*BoxTook)(struct Monitor *m, const char *text, int64_t now_ms);

typedef struct Box {
    BoxKind kind;
    char *title;
    char *text;                                                /* BOX_CONFIRM: what is asked */
    StrList choices;                                           /* BOX_CHOICE */
    size_t top, choice;                                        /* first line shown; choice under the cursor */
    size_t lines;                                              /* as drawn last */
    Str input;                                                 /* BOX_PROMPT */
    BoxTook took;                                              /* the input, the choice, or "" for yes */
    void (*write)(struct Monitor *m, Flow *f, int64_t now_ms); /* BOX_TEXT */
} Box;

/* What the keys of a plan name. */
typedef enum PlanKind { PLAN_TASKS, PLAN_SET, PLAN_NODES, PLAN_SCHEDULES, PLAN_QUEUE } PlanKind;

/* What is to be done to which lines; kept from the question to the answer, whatever moves below. */
typedef struct Plan {
    char *verb;
    PlanKind kind;
    StrList keys;
    json_t *body;      /* of a call; NULL: none yet */
    const char *field; /* PLAN_SET: which; a literal */
} Plan;

typedef struct LogBuffer {
    int64_t task, run;
    char stream[4];
    Str text;
    size_t *starts; /* offsets of lines */
    size_t n_lines, cap;
    int64_t offset; /* of the next bytes to ask for */
    size_t top;
    int left;
    bool follow, at_end, cut; /* cut: the beginning was left out */
    char *error, *search;
} LogBuffer;

typedef struct Monitor {
    char *url, *user;
    MonitorTime *parse_time;
    bool read_only, asked_read_only, by_hand_only, utf8, over, bell, show_pane, pane_chosen;
    int width, height;
    int64_t now_ms;

    Ask *asks;
    uint64_t last_ask;
    int64_t last_answer;
    FeedState feeds[FEEDS];
    char *away; /* why sidingd does not answer; NULL: it does */
    int64_t away_since;
    bool seen_once;
    int64_t actions_done, actions_failed;

    json_t *status, *events, *schedules;
    WireList nodes;
    WireList tasks[FEED_ARCHIVE + 1];  /* FEED_ACTIVE … FEED_ARCHIVE */
    bool archive_ends, archive_wanted; /* wanted: the next page of it */
    int64_t last_event;
    bool no_schedules; /* this sidingd knows none: those of the queue are shown */
    int64_t sought; /* a task that a person has named; 0: none. It is shown though its list does not reach so
                       far */
    bool going;     /* to it, once it is known */
    Task found;     /* the same; id 0: none */
    Task detail;    /* id 0: none */
    int64_t why_id; /* of which task `why` is */
    char *why;

    MonitorView view;
    ViewState views[VIEWS];
    MonitorRow *rows;
    size_t n_rows, n_hidden;
    long page; /* lines of the list, as drawn last */
    char *search;

    Box box;
    Plan plan;
    LogBuffer log;
    char *message;
    CellLook message_look;
    int64_t message_until;
} Monitor;

/* ---- say.c */
void monitor_say(Monitor *m, CellLook look, const char *fmt, ...) PRINTF_LIKE(3, 4);
bool monitor_may_change(Monitor *m); /* says why not */
/* The primary's manual mode; false where it is automatic. */
bool monitor_is_manual(const Monitor *m);
const json_t *monitor_queue(const Monitor *m); /* of the status; NULL: this sidingd has none */
/* What keeps a node, a lane or the queue from starting anything; NULL: nothing does. */
const json_t *monitor_brake(const Monitor *m, const char *kind, const char *name);

/* ---- feed.c */
void feed_tick(Monitor *m, int64_t now_ms);
void feed_seek(Monitor *m, int64_t id); /* the task of that id is shown, wherever it is */
void feed_soon(Monitor *m);             /* all feeds are asked again at once */
void feed_answer(Monitor *m, const Ask *a, bool ok, const json_t *body, const Err *err);
int64_t feed_next(const Monitor *m);
Ask *feed_ask(Monitor *m, Feed feed, const char *method, char *path, json_t *body, int64_t timeout_ms);
bool feed_is_busy(const Monitor *m); /* something runs: its progress is looked at each second */
void feed_free(Monitor *m);
void feed_drop_ask(Monitor *m, Ask *a);

/* ---- monitor_rows.c */
void rows_build(Monitor *m);      /* a person wants to see other lines */
void rows_build_anew(Monitor *m); /* sidingd has answered */
ViewState *rows_view(Monitor *m);
const MonitorRow *rows_chosen(const Monitor *m);
void rows_move(Monitor *m, long by);
void rows_choose(Monitor *m, size_t index);
bool rows_choose_key(Monitor *m, const char *key);
bool rows_search(Monitor *m, int direction); /* to the next line that holds the search text */
bool rows_is_tagged(const Monitor *m, const MonitorRow *r);
void rows_toggle_tag(Monitor *m);
/* The tagged lines, else the chosen one. */
void rows_targets(Monitor *m, StrList *ret);
const MonitorRow *rows_find(const Monitor *m, const char *key);

/* ---- columns.c */
typedef struct MonitorColumn {
    const char *head;
    int least, most;
    int rank; /* the higher, the sooner it is left out; 0: never */
    bool right;
    void (*write)(const Monitor *m, const MonitorRow *r, int width, Str *out);
    int64_t (*order)(const MonitorRow *r); /* NULL: by the text */
} MonitorColumn;
/* Ended by one without a head; the last takes what room is left. */
const MonitorColumn *columns_of(const Monitor *m);
const Run *columns_last_run(const Task *t);
CellLook columns_look(const MonitorRow *r);
bool columns_is_failed(const Task *t);
int64_t columns_time(const json_t *o, const char *key); /* ms; 0: none */
void columns_replay(const Replay *r, Str *out);
void columns_lag(const Node *n, Str *out);
/* Held longer than it was to be, or at one of its limits. */
bool columns_over_limit(const Node *n, int64_t now_ms);

/* ---- header.c */
void header_draw(const Monitor *m, Cells *c);
void header_waits(const Monitor *m, Str *out); /* sentences, with "; " between them; "": nothing */
int64_t header_count(const Monitor *m, const char *state);

/* ---- pane.c */
void pane_write(Monitor *m, Flow *f, int64_t now_ms); /* of the line under the cursor */
void pane_write_all(Monitor *m, Flow *f, int64_t now_ms);

/* ---- act_set.c: n, c, f, j */
void act_priority(Monitor *m, int64_t now_ms);
void act_name(Monitor *m, int64_t now_ms);
void act_sleeptime(Monitor *m, int64_t now_ms);
void act_runtime(Monitor *m, int64_t now_ms);

/* ---- act_mode.c: a, e, x */
void act_mode(Monitor *m, int64_t now_ms);
void act_brakes(Monitor *m, int64_t now_ms);
void act_cordon(Monitor *m, int64_t now_ms);

/* ---- box.c */
void box_close(Monitor *m);
void box_text(Monitor *m, const char *title, void (*write)(Monitor *m, Flow *f, int64_t now_ms));
void box_confirm(Monitor *m, BoxTook yes, char *text);
void box_prompt(Monitor *m, const char *title, const char *input, BoxTook took);
void box_choice(Monitor *m, const char *title, const char *const *choices, BoxTook took);
void box_key(Monitor *m, int key, int64_t now_ms);
void box_draw(Monitor *m, Cells *c, int64_t now_ms);

/* ---- logbox.c */
void logbox_open(Monitor *m, const char *stream);
void logbox_key(Monitor *m, int key);
void logbox_draw(Monitor *m, Cells *c);
void logbox_take(Monitor *m, const json_t *body);
char *logbox_path(const Monitor *m);
void logbox_free(LogBuffer *l);

/* ---- keymap.c */
typedef struct MonitorKey {
    int keys[5];
    const char *shown; /* "k" */
    const char *text;  /* one line of the help */
    bool changes;
    void (*run)(Monitor *m, int64_t now_ms);
} MonitorKey;
void keymap_write_help(Monitor *m, Flow *f, int64_t now_ms);
const MonitorKey *keymap_find(int key);

/* ---- hints.c */
/* The keys of the last line: first what may be done about the line under the cursor. */
void hints_draw(const Monitor *m, Cells *c);

/* ---- act.c */
void act_stop(Monitor *m, int64_t now_ms);
void act_kill(Monitor *m, int64_t now_ms);
void act_sleep(Monitor *m, int64_t now_ms);
void act_wake(Monitor *m, int64_t now_ms);
void act_run(Monitor *m, int64_t now_ms);
void act_retry(Monitor *m, int64_t now_ms);
void act_delete(Monitor *m, int64_t now_ms);
void act_purge(Monitor *m, int64_t now_ms);
void act_answered(Monitor *m, const Ask *a, bool ok, const Err *err);
void act_free(Plan *p);
/* The lines that are meant, kept in m->plan; false: said why there are none. */
bool act_plan(Monitor *m, const char *verb);
bool act_plan_tasks(Monitor *m, const char *verb);
void act_refuse(Monitor *m, const char *why); /* says it, and forgets the plan */
void act_send(Monitor *m);
/* ":" and what was typed behind it */
void act_command(Monitor *m, const char *text, int64_t now_ms);
