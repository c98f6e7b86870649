/* SPDX-License-Identifier: Apache-2.0
 * Transactions that only a replica has: found whoever tells first, named, forgotten once they are gone; and
 * never seen where the primary's reading is only older than the replica's.
 */
#include "orchestrator/core/errant.h"

#include "common/db/gtid.h"
#include "test.h"

#define UUID_1 "11111111-1111-1111-1111-111111111111"
#define UUID_2 "22222222-2222-2222-2222-222222222222"

/* A story: what each side tells, a second apart; then the news and what is known. */
typedef struct Step {
    const char *primary, *replica; /* logged (MariaDB) or executed (MySQL) */
    bool unseen;                   /* the primary has told nothing new */
    ErrantNews news;
    const char *known, *replicated; /* the second: by the primary, when it was a replica */
} Step;

static void play(DbFlavor flavor, const Step *steps)
{
    ErrantWatch w = {0};
    int64_t now = 5000, read_at = 0;
    for (const Step *s = steps; s->replica; s++, now += 1000) {
        bool lists = flavor == DB_MARIADB;
        read_at += s->unseen ? 0 : 1000;
        Node primary = {.name = (char *)"db0"}, replica = {.name = (char *)"db1"};
        primary.agent.server = (ServerState){.up = s->primary != NULL,
                                             .read_at = read_at,
                                             .server_id = 1,
                                             .logged = lists ? (char *)s->primary : NULL,
                                             .binlog = (char *)s->primary,
                                             .applied = (char *)(lists ? s->replicated : s->primary)};
        replica.agent.server = (ServerState){.up = true,
                                             .is_replica = true,
                                             .server_id = 2,
                                             .logged = lists ? (char *)s->replica : NULL,
                                             .binlog = (char *)s->replica,
                                             .applied = lists ? (char *)"0-1-90" : (char *)s->replica};
        assert_int_equal(errant_look(&w, flavor, &replica, &primary, now), s->news);
        assert_string_equal(w.known ? w.known : "", s->known);
    }
    errant_watch_done(&w);
}

static void written_on_a_mariadb_replica(void **state)
{
    (void)state;
    play(DB_MARIADB, (const Step[]){{"0-1-100", "0-1-100", false, ERRANT_NOTHING, ""},
                                    {"0-1-100", "0-1-100,0-2-101", false, ERRANT_NOTHING, ""},
                                    {"0-1-100", "0-1-100,0-2-101", true, ERRANT_NOTHING, ""},
                                    {"0-1-105", "0-1-104,0-2-101", false, ERRANT_NOTHING, ""},
                                    {"0-1-110", "0-1-110,0-2-101", false, ERRANT_FOUND, "0-2-101"},
                                    {"0-1-120", "0-1-120,0-2-101", false, ERRANT_NOTHING, "0-2-101"},
                                    {NULL, "0-1-120,0-2-101", false, ERRANT_NOTHING, "0-2-101"},
                                    {"0-1-130", "0-1-130,0-2-131", false, ERRANT_NOTHING, "0-2-101"},
                                    {"0-1-130", "0-1-130,0-2-131", false, ERRANT_NOTHING, "0-2-101"},
                                    {"0-1-130", "0-1-130,0-2-131", false, ERRANT_NOTHING, "0-2-101"},
                                    {"0-1-130", "0-1-130,0-2-131", false, ERRANT_NOTHING, "0-2-101"},
                                    {"0-1-130", "0-1-130,0-2-131", false, ERRANT_NOTHING, "0-2-101"},
                                    {"0-1-130", "0-1-130,0-2-131", false, ERRANT_FOUND, "0-2-131"},
                                    {"0-1-130", "0-1-130,0-2-131", false, ERRANT_NOTHING, "0-2-131"},
                                    {"0-1-130", "0-1-130,0-2-131", false, ERRANT_NOTHING, "0-2-131"},
                                    {"0-1-130", "0-1-130,0-2-131", false, ERRANT_NOTHING, "0-2-131"},
                                    {"0-1-140", "", false, ERRANT_GONE, ""},
                                    {"0-1-140", "0-1-140", false, ERRANT_NOTHING, ""},
                                    {"0-1-140", "0-1-140", false, ERRANT_NOTHING, ""},
                                    {"0-1-140", "0-1-140", false, ERRANT_NOTHING, ""},
                                    {"0-1-140", "0-1-140", false, ERRANT_NOTHING, ""},
                                    {"0-1-140", "0-1-140", false, ERRANT_NOTHING, ""},
                                    {"0-1-140", "0-1-140", false, ERRANT_NOTHING, ""},
                                    {0}});
}

/* What the replica wrote when it was the primary, the primary of today has or was made from. */
static void a_primary_of_before_is_not_errant(void **state)
{
    (void)state;
    play(DB_MARIADB, (const Step[]){{"0-2-100,0-1-200", "0-2-100,0-1-200", false, ERRANT_NOTHING, "", NULL},
                                    {"0-1-200", "0-2-100,0-1-200", false, ERRANT_NOTHING, "", "0-2-100"},
                                    {"0-1-201", "0-2-100,0-1-200", false, ERRANT_NOTHING, "", "0-3-101"},
                                    {"0-1-202", "0-2-100,0-1-200", false, ERRANT_NOTHING, "", "0-2-100"},
                                    {"0-1-203", "0-2-100,0-1-200", false, ERRANT_NOTHING, "", "0-2-100"},
                                    {"0-1-204", "0-2-100,0-1-200", false, ERRANT_NOTHING, "", "0-2-100"},
                                    {0}});
}

static void a_fork_is_errant(void **state)
{
    (void)state;
    play(DB_MARIADB, (const Step[]){{"0-2-100,0-1-200", "0-2-101,0-1-200", false, ERRANT_NOTHING, ""},
                                    {"0-2-100,0-1-201", "0-2-101,0-1-200", false, ERRANT_NOTHING, ""},
                                    {"0-2-100,0-1-202", "0-2-101,0-1-200", false, ERRANT_NOTHING, ""},
                                    {"0-2-100,0-1-203", "0-2-101,0-1-200", false, ERRANT_FOUND, "0-2-101"},
                                    {0}});
}

static void written_on_a_mysql_replica(void **state)
{
    (void)state;
    play(DB_MYSQL, (const Step[]){
                       {UUID_1 ":1-10", UUID_1 ":1-12", false, ERRANT_NOTHING, ""},
                       {UUID_1 ":1-13", UUID_1 ":1-15," UUID_2 ":1-2", false, ERRANT_NOTHING, ""},
                       {UUID_1 ":1-16", UUID_1 ":1-18," UUID_2 ":1-2", false, ERRANT_NOTHING, ""},
                       {UUID_1 ":1-19", UUID_1 ":1-21," UUID_2 ":1-2", false, ERRANT_NOTHING, ""},
                       {UUID_1 ":1-22", UUID_1 ":1-24," UUID_2 ":1-2", false, ERRANT_FOUND, UUID_2 ":1-2"},
                       {UUID_1 ":1-24," UUID_2 ":1-2", UUID_1 ":1-24," UUID_2 ":1-2", false, ERRANT_GONE, ""},
                       {0}});
}

/* A busy primary: its replica is always told a little later than itself. */
static void a_replica_told_later_is_not_errant(void **state)
{
    (void)state;
    ErrantWatch w = {0};
    Node primary = {.name = (char *)"db0"}, replica = {.name = (char *)"db1"};
    for (int64_t i = 1; i < 500; i++) {
        AUTOFREE char *before = xasprintf(UUID_1 ":1-%lld", (long long)i * 100);
        AUTOFREE char *after = xasprintf(UUID_1 ":1-%lld", (long long)i * 100 + 90);
        primary.agent.server = (ServerState){.up = true, .read_at = i, .binlog = before};
        replica.agent.server = (ServerState){.up = true, .is_replica = true, .binlog = after};
        assert_int_equal(errant_look(&w, DB_MYSQL, &replica, &primary, i * 1000), ERRANT_NOTHING);
    }
    errant_watch_done(&w);
}

static void differences(void **state)
{
    (void)state;
    static const struct {
        DbFlavor flavor;
        const char *these, *has, *lacking, *replicated;
    } rows[] = {
        {DB_MYSQL, UUID_1 ":1-10", UUID_1 ":3-4:8", UUID_1 ":1-2:5-7:9-10"},
        {DB_MYSQL, UUID_1 ":1-10", "", UUID_1 ":1-10"},
        {DB_MYSQL, UUID_1 ":3-5", UUID_1 ":1-10", ""},
        {DB_MYSQL, UUID_1 ":1-5," UUID_1 ":tag:1-2", UUID_1 ":2-9", UUID_1 ":1," UUID_1 ":tag:1-2"},
        {DB_MYSQL, "nonsense", "", NULL},
        {DB_MARIADB, "0-2-5,1-2-9", "0-1-7,1-2-8", "0-2-5,1-2-9"},
        {DB_MARIADB, "0-2-5,1-2-9", "0-1-7,1-2-8", "1-2-9", "0-3-6,1-3-20"},
        {DB_MARIADB, "0-2-5", "0-1-7", "0-2-5", "0-3-4"},
        {DB_MARIADB, "0-2-5", "0-2-4,0-1-9", "0-2-5"},
        {DB_MARIADB, "", "0-1-1", ""},
        {DB_MARIADB, "0-2", "", NULL},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        AUTOFREE char *got =
            gtid_lacking_text(rows[i].flavor, rows[i].these, rows[i].has, rows[i].replicated);
        assert_string_equal(got ? got : "-", rows[i].lacking ? rows[i].lacking : "-");
    }
    AUTOFREE char *own = gtid_own_text(DB_MARIADB, "0-1-5,0-2-6,3-2-1", 2);
    assert_string_equal(own, "0-2-6,3-2-1");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(written_on_a_mariadb_replica),
        cmocka_unit_test(a_primary_of_before_is_not_errant),
        cmocka_unit_test(a_fork_is_errant),
        cmocka_unit_test(written_on_a_mysql_replica),
        cmocka_unit_test(a_replica_told_later_is_not_errant),
        cmocka_unit_test(differences),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
