# SPDX-License-Identifier: Apache-2.0
# Flavour mariadb: the words in which the sandbox speaks to a MariaDB server.
# mysql.sh answers the same names for MySQL.

mariadb_find() {
	CLIENT=(mariadb --no-defaults --default-character-set=utf8mb4)
	local program
	for program in mariadbd mariadb mariadb-install-db my_print_defaults; do
		PATH=$PATH:/usr/sbin command -v "$program" >/dev/null ||
			die "$program is missing: scripts/setup installs it"
	done
	SERVER=$(PATH=$PATH:/usr/sbin command -v mariadbd)
}

# Prints the path of a data directory to copy: made once for each server version and user.
mariadb_template() {
	local version template user
	version=$("$SERVER" --no-defaults --version)
	user=$(id -un)
	template=$CACHE/mariadb-$(cksum <<<"3 $version $user" | cut -d' ' -f1)
	if [[ ! -d $template ]]; then
		say "preparing a data directory (once): $template"
		mariadb_make_template "$template.new" "$user"
		mv "$template.new" "$template"
	fi
	printf '%s\n' "$template"
}

# The folder is 0700, so everybody who reaches the socket is its owner or root: both get in as either, without a password.
mariadb_make_template() {
	local data=$1 user=$2 log=$1.log tmp=$1.tmp
	rm -rf "$data"
	mkdir -p "$data" "$tmp"
	# --force: a bare machine may have no /etc/hosts, and no account of a template is named by the host.
	{ mariadb-install-db --no-defaults --force --datadir="$data" --tmpdir="$tmp" --user="$user" --auth-root-authentication-method=socket \
		--skip-test-db --innodb-log-file-size=64M &&
		"$SERVER" --no-defaults --datadir="$data" --tmpdir="$tmp" --user="$user" --bootstrap --innodb-log-file-size=64M <<-E; } \
			>"$log" 2>&1 || { tail -n 20 "$log" >&2; die "no data directory could be made (whole log: $log)"; }
			FLUSH PRIVILEGES;
			DELETE FROM mysql.global_priv WHERE (user, host) NOT IN (('root', 'localhost'), ('mariadb.sys', 'localhost'));
			DELETE FROM mysql.proxies_priv WHERE host <> 'localhost';
			FLUSH PRIVILEGES;
			CREATE USER IF NOT EXISTS '$user'@'localhost' IDENTIFIED VIA unix_socket;
			GRANT ALL ON *.* TO '$user'@'localhost' WITH GRANT OPTION;
			ALTER USER 'root'@'localhost' IDENTIFIED VIA unix_socket OR mysql_native_password USING '';
		E
	rm -rf "$log" "$tmp"
}

mariadb_options() {
	cat <<-E
		gtid_strict_mode=ON
		gtid_domain_id=0
		binlog_format=ROW
		read_only=ON
		skip_slave_start=ON
		log_slave_updates=ON
		slave_net_timeout=4
		rpl_semi_sync_slave_enabled=ON
		rpl_semi_sync_master_wait_point=AFTER_SYNC
		rpl_semi_sync_master_timeout=60000
		rpl_semi_sync_master_wait_no_slave=$( ((REPLICAS)) && echo ON || echo OFF)
		character_set_server=utf8mb4
		innodb_log_file_size=64M
		table_open_cache=1000
		table_open_cache_instances=1
	E
}

mariadb_follow() { # PASSWORD [I]: SQL that makes a node follow node I, or db0
	cat <<-E
		CHANGE MASTER TO MASTER_HOST='127.0.0.1', MASTER_PORT=${SERVER_PORT[${2-0}]}, MASTER_USER='siding_repl',
			MASTER_PASSWORD='$1', MASTER_USE_GTID=slave_pos, MASTER_CONNECT_RETRY=1, MASTER_HEARTBEAT_PERIOD=0.5;
	E
}

mariadb_user() { # NAME HOST PASSWORD: SQL that makes an account, or sets its password
	echo "CREATE OR REPLACE USER '$1'@'$2' IDENTIFIED BY '$3';"
}

mariadb_word() {
	case $1 in
	open) echo "SET GLOBAL read_only=OFF" ;;
	close) echo "SET GLOBAL read_only=ON" ;;
	semi_sync_source) echo "SET GLOBAL rpl_semi_sync_master_enabled=ON" ;;
	semi_sync_waits) echo "SET GLOBAL rpl_semi_sync_master_wait_no_slave=ON" ;;
	show_hashes) echo "DO 1" ;; # it does
	read_only) echo "SELECT @@GLOBAL.read_only" ;;
	written) echo "SELECT @@GLOBAL.gtid_binlog_pos" ;;
	applied) echo "SELECT MASTER_GTID_WAIT('$2', 0.5)" ;;
	esac
}
