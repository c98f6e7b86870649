# SPDX-License-Identifier: Apache-2.0
"""The words in which the harness speaks to a server of each flavour. What is not here is the same in both."""
import dataclasses
import re


@dataclasses.dataclass(frozen=True)
class Dialect:
    server: str  # the program
    point_to: str  # another source; both threads are stopped
    delay: str  # of an applier that is stopped, in seconds
    unlock: str  # before what a replica writes of its own
    lock: str  # after it
    binlog_status: str
    position: str  # all that is executed
    read_only: str
    semi_sync: str  # the primary's variable
    gtid_before: str  # printed before a transaction, or ""
    gtid_after: str  # printed after it
    encrypt: str  # an option of the server: what it writes to logs from now on is encrypted
    connections: str  # a row for each by which a server replicates
    connection_name: str  # its column; "" is the default one
    stop_receiver: str  # of a connection
    start: str  # a connection
    remove: str  # a connection; the name twice
    follow: str  # a new connection

    def bounds(self, rows):
        """Least and most that the sequence number of a transaction's GTID can be."""
        if not self.gtid_before:
            number = last_number(rows[-1][0])
            return number, number
        return int(re.search(r":1(?:-(\d+))?", rows[0][0])[1] or 1) + 1, last_number(rows[-1][0])


def last_number(gtid):
    """Of a position with one domain, or a set with one server: the highest sequence number."""
    return max(int(n) for n in re.findall(r"(\d+)(?=,|$)", gtid.replace("\n", "")))


DIALECTS = {
    "mariadb": Dialect("mariadbd", "CHANGE MASTER TO MASTER_PORT=%d, MASTER_HEARTBEAT_PERIOD=0.5",
                       "CHANGE MASTER TO MASTER_DELAY=%d", "SET SESSION gtid_domain_id = 9; ", "", "SHOW MASTER STATUS",
                       "SELECT @@GLOBAL.gtid_binlog_pos", "SELECT @@GLOBAL.read_only", "rpl_semi_sync_master_enabled", "",
                       "SELECT @@last_gtid", "--encrypt-binlog=ON", "SHOW ALL SLAVES STATUS", "Connection_name",
                       "STOP SLAVE '%s' IO_THREAD", "START SLAVE '%s'", "STOP SLAVE '%s'; RESET SLAVE '%s' ALL",
                       "CHANGE MASTER '%(name)s' TO MASTER_HOST='127.0.0.1', MASTER_PORT=%(port)d, MASTER_USER='east', MASTER_PASSWORD='p', "
                       "MASTER_USE_GTID=slave_pos, MASTER_CONNECT_RETRY=1, MASTER_HEARTBEAT_PERIOD=0.5"),
    "mysql": Dialect("mysqld", "CHANGE REPLICATION SOURCE TO SOURCE_PORT=%d, SOURCE_HEARTBEAT_PERIOD=0.5",
                     "CHANGE REPLICATION SOURCE TO SOURCE_DELAY=%d", "SET GLOBAL super_read_only = 0; ", "; SET GLOBAL super_read_only = 1",
                     "SHOW BINARY LOG STATUS",
                     "SELECT @@GLOBAL.gtid_executed", "SELECT @@GLOBAL.super_read_only", "rpl_semi_sync_source_enabled",
                     "SELECT @@GLOBAL.gtid_executed", "SELECT @@GLOBAL.gtid_executed", "--binlog-encryption=ON", "SHOW REPLICA STATUS",
                     "Channel_Name", "STOP REPLICA IO_THREAD FOR CHANNEL '%s'", "START REPLICA FOR CHANNEL '%s'",
                     "STOP REPLICA FOR CHANNEL '%s'; RESET REPLICA ALL FOR CHANNEL '%s'",
                     "CHANGE REPLICATION SOURCE TO SOURCE_HOST='127.0.0.1', SOURCE_PORT=%(port)d, SOURCE_USER='east', SOURCE_PASSWORD='p', "
                     "SOURCE_AUTO_POSITION=1, GET_SOURCE_PUBLIC_KEY=1, SOURCE_CONNECT_RETRY=1, SOURCE_RETRY_COUNT=86400, "
                     "SOURCE_HEARTBEAT_PERIOD=0.5 FOR CHANNEL '%(name)s'"),
}
