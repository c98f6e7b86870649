/* SPDX-License-Identifier: Apache-2.0
 * The private connection that fetches from the replica's own source: it reaches it, and leaves out, what the
 * default connection does.
 */
#include "opscript.h"

#include "common/file/fs.h"
#include "replica-agent/server/rescue_channel.h"

#define COLUMNS                                                                                              \
    "Connection_name|Master_SSL_Allowed|Master_SSL_CA_File|Master_SSL_CA_Path|Master_SSL_Cert|"              \
    "Master_SSL_Key|Master_SSL_Cipher|Master_SSL_Crl|Master_SSL_Crlpath|Master_SSL_Verify_Server_Cert|"      \
    "Replicate_Ignore_Server_Ids|Replicate_Do_Domain_Ids|Replicate_Ignore_Domain_Ids"
#define FOLLOW                                                                                               \
    "CHANGE MASTER 'siding_rescue' TO MASTER_HOST='127.0.0.1', MASTER_PORT=7, MASTER_USE_GTID=slave_pos, "   \
    "MASTER_CONNECT_RETRY=1, MASTER_HEARTBEAT_PERIOD=1, MASTER_DELAY=0, MASTER_USER='repl', "                \
    "MASTER_PASSWORD='it\\'s', "

static const char file[] = "/tmp/siding-test-repl.cnf";

static void it_is_as_the_default(void **state)
{
    (void)state;
    static const struct {
        const char *rows, *sent; /* NULL: nothing is changed */
    } cases[] = {
        {"siding_rescue|No||||||||No|||\n|No||||||||No|||",
         FOLLOW "MASTER_SSL=0, MASTER_SSL_VERIFY_SERVER_CERT=0"},
        {"|Yes|/ca|/cas|/cert|/key|AES|/crl|/crls|Yes|4, 5||", FOLLOW
         "MASTER_SSL=1, MASTER_SSL_VERIFY_SERVER_CERT=1, MASTER_SSL_CA='/ca', MASTER_SSL_CAPATH='/cas', "
         "MASTER_SSL_CERT='/cert', MASTER_SSL_KEY='/key', MASTER_SSL_CIPHER='AES', MASTER_SSL_CRL='/crl', "
         "MASTER_SSL_CRLPATH='/crls', IGNORE_SERVER_IDS=(4, 5)"},
        {"|No||||||||No||0,7|", FOLLOW "MASTER_SSL=0, MASTER_SSL_VERIFY_SERVER_CERT=0, DO_DOMAIN_IDS=(0,7)"},
        {"|No||||||||No|||9", FOLLOW "MASTER_SSL=0, MASTER_SSL_VERIFY_SERVER_CERT=0, IGNORE_DOMAIN_IDS=(9)"},
        {"|No||||||||No|||9); DROP", NULL},
        {"siding_rescue|No||||||||No|||", NULL},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        Err err;
        Db *db;
        DbTarget rescuer = {.user = (char *)"rescuer"};
        script_begin(DB_MARIADB, 0);
        assert_ok(fs_replace(file, "[client]\nuser=repl\npassword=it's\n", 33, 0600, &err), err);
        EXPECT("CONNECT rescuer");
        EXPECT("SHOW ALL SLAVES STATUS", COLUMNS, cases[i].rows);
        if (cases[i].sent) {
            EXPECT(cases[i].sent);
            EXPECT("SHOW GLOBAL VARIABLES WHERE …", "Variable_name|Value", "slave_parallel_mode|optimistic");
            EXPECT("SET GLOBAL siding_rescue.slave_parallel_mode='optimistic'");
            EXPECT("SELECT @@global.sql_slave_skip_counter", "n", "0");
        }
        assert_ok(db_connect(&rescuer, 0, &db, &err), err);
        assert_int_equal(rescue_channel_follow(db, 7, file, &err), cases[i].sent != NULL);
        db_close(db);
        script_end(0);
    }
}

static void an_account_is_needed(void **state)
{
    (void)state;
    Err err;
    Db *db;
    DbTarget rescuer = {.user = (char *)"rescuer"};
    script_begin(DB_MARIADB, 0);
    assert_ok(fs_replace(file, "[client]\nuser=repl\n", 19, 0600, &err), err);
    EXPECT("CONNECT rescuer");
    assert_ok(db_connect(&rescuer, 0, &db, &err), err);
    assert_false(rescue_channel_follow(db, 7, file, &err));
    assert_int_equal(err.kind, ERR_CONFIG);
    assert_ok(fs_remove(file, &err), err);
    assert_false(rescue_channel_follow(db, 7, file, &err));
    db_close(db);
    script_end(0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(it_is_as_the_default),
                                       cmocka_unit_test(an_account_is_needed)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
