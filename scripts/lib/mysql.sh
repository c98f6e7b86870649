# SPDX-License-Identifier: Apache-2.0
# Flavour mysql: the words in which the sandbox speaks to an Oracle MySQL server, 8.4 or later.
# The same names as in mariadb.sh. MariaDB's client is used for both.

mysql_find() {
	CLIENT=(mariadb --no-defaults --default-character-set=utf8mb4)
	command -v mariadb >/dev/null || die "mariadb, the client, is missing: scripts/setup installs it"
	if [[ -x ${SERVER-} ]]; then return; fi
	SERVER=$("$ROOT/scripts/mysql-server") || die "there is no MySQL server to start (scripts/test --only mariadb does without)"
}

mysql_template() {
	local version template user
	version=$("$SERVER" --no-defaults --version)
	user=$(id -un)
	template=$CACHE/mysql-$(cksum <<<"2 $version $user" | cut -d' ' -f1)
	if [[ ! -d $template ]]; then
		say "preparing a data directory (once): $template"
		mysql_make_template "$template.new" "$user"
		mv "$template.new" "$template"
	fi
	printf '%s\n' "$template"
}

# As with MariaDB: the folder is 0700, so its owner and root get in through the socket without a password.
# auto.cnf holds the server's uuid, of which each copy must draw its own.
mysql_make_template() {
	local data=$1 user=$2 log=$1.log
	rm -rf "$data" "$data.sql"
	{
		if [[ $user != root ]]; then
			echo "CREATE USER '$user'@'localhost' IDENTIFIED BY '';"
			echo "GRANT ALL ON *.* TO '$user'@'localhost' WITH GRANT OPTION;"
		fi
	} >"$data.sql"
	"$SERVER" --no-defaults --datadir="$data" --user="$user" --initialize-insecure --init-file="$data.sql" \
		--innodb-redo-log-capacity=64M --innodb-doublewrite-pages=4 >"$log" 2>&1 </dev/null ||
		{ tail -n 20 "$log" >&2; die "no data directory could be made (whole log: $log)"; }
	rm -f "$data/auto.cnf" "$data.sql" "$log"
}

mysql_options() {
	cat <<-E
		gtid_mode=ON
		enforce_gtid_consistency=ON
		super_read_only=ON
		skip_replica_start=ON
		log_replica_updates=ON
		replica_preserve_commit_order=ON
		replica_net_timeout=4
		plugin_load_add=semisync_source.so;semisync_replica.so
		rpl_semi_sync_replica_enabled=ON
		rpl_semi_sync_source_wait_point=AFTER_SYNC
		rpl_semi_sync_source_timeout=60000
		rpl_semi_sync_source_wait_no_replica=$( ((REPLICAS)) && echo ON || echo OFF)
		mysqlx=OFF
		secure_file_priv=NULL
		innodb_redo_log_capacity=64M
		innodb_doublewrite_pages=4
		innodb_use_native_aio=OFF
		innodb_log_buffer_size=4M
	E
}

mysql_follow() { # PASSWORD [I]
	cat <<-E
		CHANGE REPLICATION SOURCE TO SOURCE_HOST='127.0.0.1', SOURCE_PORT=${SERVER_PORT[${2-0}]}, SOURCE_USER='siding_repl',
			SOURCE_PASSWORD='$1', SOURCE_AUTO_POSITION=1, GET_SOURCE_PUBLIC_KEY=1, SOURCE_CONNECT_RETRY=1,
			SOURCE_RETRY_COUNT=86400, SOURCE_HEARTBEAT_PERIOD=0.5;
	E
}

mysql_user() { # NAME HOST PASSWORD
	echo "CREATE USER IF NOT EXISTS '$1'@'$2'; ALTER USER '$1'@'$2' IDENTIFIED BY '$3';"
}

mysql_word() {
	case $1 in
	open) echo "SET GLOBAL super_read_only=OFF; SET GLOBAL read_only=OFF" ;;
	close) echo "SET GLOBAL super_read_only=ON" ;;
	semi_sync_source) echo "SET GLOBAL rpl_semi_sync_source_enabled=ON" ;;
	semi_sync_waits) echo "SET GLOBAL rpl_semi_sync_source_wait_no_replica=ON" ;;
	show_hashes) echo "SET print_identified_with_as_hex=1" ;;
	read_only) echo "SELECT IF(@@GLOBAL.super_read_only, 1, IF(@@GLOBAL.read_only, 'half', 0))" ;;
	written) printf '%s\n' "SELECT REPLACE(@@GLOBAL.gtid_executed, '\\n', '')" ;;
	applied) echo "SELECT NOT GTID_SUBSET('$2', @@GLOBAL.gtid_executed)" ;;
	esac
}
