# SPDX-License-Identifier: Apache-2.0
# MySQL servers of a sandbox: the same functions as in mariadb.sh.

mysql_require() { die "--flavor mysql is not available yet"; }
