/* SPDX-License-Identifier: Apache-2.0
 * What is wrong between the nodes of a cluster, as tables: the primary, whom replicas follow, clocks, job
 * files.
 */
#include "orchestrator/core/cluster_check.h"

#include "common/wire/finding.h"
#include "test.h"

static const struct {
    const char *name, *address, *source, *jobs; /* jobs: "name=digest name=digest"; source NULL: no replica */
    int64_t ahead_ms;
} well[] = {{"db0", "10.0.0.1", NULL, "rows=a", 10},
            {"db1", "10.0.0.2", "10.0.0.1", "rows=a", -900},
            {"db2", "10.0.0.3", "10.0.0.1", "rows=a", INT64_MIN}};

enum { NODES = 3 };
static Node nodes[NODES];
static int64_t ahead[NODES];

static void add_jobs(Node *n, const char *jobs)
{
    AUTO(strlist_done) StrList words = STRLIST_INIT;
    strlist_split(&words, jobs, ' ');
    for (size_t i = 0; i < words.n; i++) {
        JobInfo *j = wire_list_add(&n->agent.jobs, sizeof *j);
        j->name = xstrndup(words.v[i], strcspn(words.v[i], "="));
        j->digest = strchr(words.v[i], '=') ? xstrdup(strchr(words.v[i], '=') + 1) : NULL;
    }
}

static void clear_nodes(void)
{
    for (size_t i = 0; i < NODES; i++)
        wire_free(node_fields, &nodes[i]);
}

static void build(void)
{
    clear_nodes();
    for (size_t i = 0; i < NODES; i++) {
        nodes[i] = (Node){.name = xstrdup(well[i].name)};
        nodes[i].agent.node = xstrdup(well[i].name);
        nodes[i].agent.server = (ServerState){.up = true,
                                              .address = xstrdup(well[i].address),
                                              .port = 3306,
                                              .is_replica = well[i].source != NULL,
                                              .source_host = xstrdup(well[i].source),
                                              .source_port = well[i].source ? 3306 : 0};
        add_jobs(&nodes[i], well[i].jobs);
        ahead[i] = well[i].ahead_ms;
    }
}

/* The findings that are not ok, as text. */
static void expect(const char *primary, const char *want)
{
    WireList l = {0};
    AUTO(str_done) Str text = STR_INIT;
    const Node *all[NODES] = {&nodes[0], &nodes[1], &nodes[2]};
    ClusterView v = {all, NODES, primary, "10.0.0.9:3306", "db0 has not been seen yet", ahead};
    cluster_check(&v, &l);
    const Finding *f = l.v;
    for (size_t i = 0; i < l.n; i++) {
        if (str_eq(f[i].level, "ok"))
            continue;
        assert_true(f[i].mend || !primary);
        str_addf(&text, "%s %s: %s: %s\n", f[i].level, f[i].node ? f[i].node : "-", f[i].name, f[i].text);
    }
    assert_string_equal(str_z(&text), want);
    finding_free(&l);
}

static void all_is_well(void **state)
{
    (void)state;
    build();
    expect("db0", "");
}

static void the_primary(void **state)
{
    (void)state;
    build();
    expect(NULL, "error -: primary: db0 has not been seen yet\n");
    expect("old", "error -: primary: old, the primary this cluster knows, last seen at 10.0.0.9:3306, is not "
                  "among agents: "
                  "nothing can be queued or loaded\n");
}

static void whom_replicas_follow(void **state)
{
    (void)state;
    build();
    str_set(&nodes[1].agent.server.source_host, "10.9.9.9");
    nodes[1].agent.server.source_port = 3307;
    nodes[2].agent.server.is_replica = false;
    expect("db0",
           "error db1: source: replicates from 10.9.9.9:3307, and no agent says that this is its server\n"
           "error db2: source: is detached: neither the primary nor a replica; it gets no job, and its data "
           "grow old\n");
    nodes[1].agent_error = xstrdup("cannot reach"); /* told elsewhere */
    nodes[2].agent.server.up = false;
    expect("db0", "");
}

static void clocks(void **state)
{
    (void)state;
    build();
    ahead[0] = -2500;
    ahead[1] = 3600000;
    expect(
        "db0",
        "warning db0: clock: its clock is 2.5 s behind that of the coordinator: times of tasks, windows and "
        "certificates are judged wrongly\n"
        "warning db1: clock: its clock is 60 min 00 s ahead of that of the coordinator: times of tasks, "
        "windows and "
        "certificates are judged wrongly\n");
}

static void job_files(void **state)
{
    (void)state;
    build();
    add_jobs(&nodes[1], "own=x dump");
    str_set(&((JobInfo *)nodes[2].agent.jobs.v)->digest, "b");
    expect("db0", "warning -: jobs: the job rows is not the same everywhere: that of db2 differs from that "
                  "of db0, db1\n"
                  "warning -: jobs: the job own is known on db1 and not on db0, db2: it cannot run or be "
                  "loaded there, now or "
                  "after a change of roles\n");
    nodes[0].agent_error = xstrdup("gone");
    nodes[2].agent_error = xstrdup("gone");
    expect("db0", "");
    clear_nodes();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_is_well), cmocka_unit_test(the_primary), cmocka_unit_test(whom_replicas_follow),
        cmocka_unit_test(clocks),      cmocka_unit_test(job_files),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
