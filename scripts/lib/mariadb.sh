# SPDX-License-Identifier: Apache-2.0
# MariaDB servers of a sandbox. Each function is a row of the flavour table in scripts/sandbox: NAME_what.

mariadb_require() {
	local p
	for p in mariadbd mariadb mariadb-install-db; do
		PATH=$PATH:/usr/sbin command -v "$p" >/dev/null || die "$p is missing: run scripts/setup (packages mariadb-server-core, mariadb-client-core)"
	done
}

mariadb_server() { PATH=$PATH:/usr/sbin command -v mariadbd; }

# One data directory, made once for each server version and user; servers copy it.
mariadb_template() {
	local version user t
	version=$("$(mariadb_server)" --no-defaults --version | sed 's/.*Ver \([^ ]*\).*/\1/')
	user=$(id -un)
	t=$cache/template-$version-$user-1
	if [ ! -e "$t/complete" ]; then
		local tmp=$t.$$
		rm -rf "$tmp"
		mkdir -p "$tmp"
		# root and the current user come in through the socket without a password.
		mariadb-install-db --no-defaults --datadir="$tmp/data" --user="$user" --auth-root-authentication-method=socket --auth-root-socket-user="$user" \
			--skip-test-db --skip-name-resolve --innodb-log-file-size=64M >"$tmp/log" 2>&1 || { tail -n 20 "$tmp/log" >&2; die "mariadb-install-db failed, see $tmp/log"; }
		touch "$tmp/complete"
		mv -T "$tmp" "$t" 2>/dev/null || rm -rf "$tmp"
	fi
	echo "$t/data"
}

# mariadb_config DIR SOCKET PORT ID
mariadb_config() {
	cat <<-E
		[mysqld]
		user=$(id -un)
		datadir=$1/data
		socket=$2
		pid_file=$1/pid
		log_error=$1/error.log
		bind_address=127.0.0.1
		port=$3
		server_id=$4
		report_host=127.0.0.1
		report_port=$3
		skip_name_resolve=ON
		read_only=ON
		skip_slave_start
		gtid_strict_mode=ON
		log_bin=binlog
		log_slave_updates=ON
		binlog_format=ROW
		sync_binlog=1
		innodb_flush_log_at_trx_commit=1
		relay_log=relay
		relay_log_recovery=OFF
		slave_net_timeout=10
		rpl_semi_sync_slave_enabled=ON
		rpl_semi_sync_master_wait_point=AFTER_SYNC
		rpl_semi_sync_master_timeout=60000
		performance_schema=OFF
		innodb_buffer_pool_size=128M
		innodb_log_file_size=64M
		max_connections=200
		max_allowed_packet=64M
		character_set_server=utf8mb4
		local_infile=ON
	E
}

mariadb_client() { mariadb --no-defaults -u "$(id -un)" "$@"; }
mariadb_sql() { mariadb_client -S "$1" -NBe "$2"; }

# mariadb_connect SOCKET PRIMARY_PORT PASSWORD
mariadb_connect() {
	mariadb_sql "$1" "CHANGE MASTER TO MASTER_HOST='127.0.0.1', MASTER_PORT=$2, MASTER_USER='repl', MASTER_PASSWORD='$3',
		MASTER_USE_GTID=slave_pos, MASTER_CONNECT_RETRY=1, MASTER_HEARTBEAT_PERIOD=0.5"
}

mariadb_start_replication() { mariadb_sql "$1" "START SLAVE"; }
# Not in the binary log: each server has its own account, made the same.
mariadb_replication_account() {
	mariadb_sql "$1" "SET sql_log_bin=0; CREATE USER IF NOT EXISTS repl@'127.0.0.1' IDENTIFIED BY '$2';
		GRANT REPLICATION SLAVE ON *.* TO repl@'127.0.0.1'"
}
mariadb_open() { mariadb_sql "$1" "SET GLOBAL rpl_semi_sync_master_enabled=1; SET GLOBAL read_only=0"; }
mariadb_position() { mariadb_sql "$1" "SELECT @@gtid_binlog_pos"; }
mariadb_caught_up() { # SOCKET POSITION
	[ "$(mariadb_sql "$1" "SELECT MASTER_GTID_WAIT('$2', 0.2)" 2>/dev/null)" = 0 ]
}
mariadb_is_read_only() { [ "$(mariadb_sql "$1" "SELECT @@read_only" 2>/dev/null)" = "$2" ]; }
mariadb_kill_dump_threads() {
	mariadb_sql "$1" "SELECT CONCAT('KILL ', id) FROM information_schema.processlist WHERE command LIKE 'Binlog Dump%'" 2>/dev/null |
		while read -r k; do mariadb_sql "$1" "$k" 2>/dev/null || :; done
}
