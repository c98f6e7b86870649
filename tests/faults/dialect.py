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
                       "SELECT @@last_gtid"),
    "mysql": Dialect("mysqld", "CHANGE REPLICATION SOURCE TO SOURCE_PORT=%d, SOURCE_HEARTBEAT_PERIOD=0.5",
                     "CHANGE REPLICATION SOURCE TO SOURCE_DELAY=%d", "SET GLOBAL super_read_only = 0; ", "; SET GLOBAL super_read_only = 1",
                     "SHOW BINARY LOG STATUS",
                     "SELECT @@GLOBAL.gtid_executed", "SELECT @@GLOBAL.super_read_only", "rpl_semi_sync_source_enabled",
                     "SELECT @@GLOBAL.gtid_executed", "SELECT @@GLOBAL.gtid_executed"),
}
