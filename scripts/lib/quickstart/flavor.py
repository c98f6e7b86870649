# SPDX-License-Identifier: Apache-2.0
# What differs between MariaDB and MySQL for quickstart: one class each, with the same names. Nothing else asks
# which server it is.
import os


class MariaDB:
    name, title = "mariadb", "MariaDB"
    written, applied = "@@global.gtid_binlog_pos", "@@global.gtid_slave_pos"  # positions, as SQL expressions
    wait = "MASTER_GTID_WAIT"  # (position, seconds) is 0 once it is applied
    status, io, sql, received = "SHOW SLAVE STATUS", "Slave_IO_Running", "Slave_SQL_Running", "Gtid_IO_Pos"
    start, stop, until = "START SLAVE", "STOP SLAVE", "START SLAVE UNTIL master_gtid_pos = %s"
    begin_at = "SET GLOBAL gtid_slave_pos = %s"
    follow = ("CHANGE MASTER TO MASTER_HOST='127.0.0.1', MASTER_PORT=%d, MASTER_USER=%s, MASTER_PASSWORD=%s, "
              "MASTER_USE_GTID=slave_pos, MASTER_HEARTBEAT_PERIOD=1, MASTER_CONNECT_RETRY=1")
    settings = ("innodb_flush_log_at_trx_commit", "sync_binlog", "slave_parallel_threads", "slave_parallel_mode")
    # What SHOW GLOBAL VARIABLES holds besides settings.
    positions = {"gtid_binlog_pos", "gtid_binlog_state", "gtid_current_pos", "gtid_slave_pos", "timestamp", "last_gtid", "gtid_seq_no",
                 "rand_seed1", "rand_seed2", "pseudo_thread_id", "last_insert_id", "insert_id", "identity", "error_count",
                 "warning_count", "in_transaction"}
    room = ("innodb_log_file_size", "innodb_buffer_pool_size")
    first_group = "\\1"  # in the replacement of REGEXP_REPLACE
    scanned = "MyISAM"  # the fastest engine to fill once and to scan
    stored = "is_generated = 'NEVER'"  # of information_schema.columns
    server_options = ("--skip-slave-start", "--gtid-strict-mode=1", "--skip-innodb-doublewrite", "--innodb-log-file-size=256M")

    @staticmethod
    def install(server, common, folder, user):
        """The command that makes a data directory which `user` gets into without a password."""
        return ["mariadb-install-db", *common, "--force", "--auth-root-authentication-method=socket",
                "--auth-root-socket-user=" + user, "--skip-test-db"]

    @staticmethod
    def loader(server):
        """The client that restores a dump."""
        return "mariadb"


class MySQL:
    name, title = "mysql", "MySQL"
    written = applied = "REPLACE(@@global.gtid_executed, '\\n', '')"
    wait = "WAIT_FOR_EXECUTED_GTID_SET"
    status, io, sql, received = "SHOW REPLICA STATUS", "Replica_IO_Running", "Replica_SQL_Running", "Retrieved_Gtid_Set"
    start, stop, until = "START REPLICA", "STOP REPLICA", "START REPLICA UNTIL SQL_AFTER_GTIDS = %s"
    begin_at = "SET GLOBAL gtid_purged = %s"
    follow = ("CHANGE REPLICATION SOURCE TO SOURCE_HOST='127.0.0.1', SOURCE_PORT=%d, SOURCE_USER=%s, SOURCE_PASSWORD=%s, "
              "SOURCE_AUTO_POSITION=1, GET_SOURCE_PUBLIC_KEY=1, SOURCE_HEARTBEAT_PERIOD=1, SOURCE_CONNECT_RETRY=1")
    settings = ("innodb_flush_log_at_trx_commit", "sync_binlog", "replica_parallel_workers")
    positions = {"gtid_executed", "gtid_owned", "gtid_purged"}
    room = ("innodb_redo_log_capacity", "innodb_buffer_pool_size")
    first_group = "$1"
    scanned = "InnoDB"  # MyISAM reads from the disk row by row here
    stored = "generation_expression = ''"
    # Without a binary log what is written here gets no GTID.
    server_options = ("--skip-replica-start", "--gtid-mode=ON", "--enforce-gtid-consistency=ON", "--skip-log-bin",
                      "--innodb-doublewrite=OFF", "--innodb-redo-log-capacity=256M", "--mysqlx=OFF", "--secure-file-priv=NULL")

    @staticmethod
    def install(server, common, folder, user):
        accounts = os.path.join(folder, "accounts.sql")
        with open(accounts, "w", encoding="utf-8") as f:
            if user != "root":
                f.write("CREATE USER '%s'@'localhost' IDENTIFIED BY '';\nGRANT ALL ON *.* TO '%s'@'localhost';\n" % (user, user))
        return [server, *common, "--initialize-insecure", "--init-file=" + accounts]

    @staticmethod
    def loader(server):
        beside = os.path.join(os.path.dirname(server), "mysql")
        return beside if os.access(beside, os.X_OK) else "mariadb"


NAMED = {flavor.name: flavor for flavor in (MariaDB, MySQL)}


def of(version):
    """By what SELECT VERSION() says."""
    return MariaDB if "MariaDB" in version else MySQL
