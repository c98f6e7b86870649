# SPDX-License-Identifier: Apache-2.0
# The Debian packages Siding needs, in four groups, and how they get in.
# None of them starts a system service: mariadb-server would, mariadb-server-core does not. systemd is wanted for
# systemd-analyze; where it is not the init already, it is installed and not run.

# shellcheck disable=SC2034 # read by name in need_packages
PACKAGES_build="gcc libc6-dev meson ninja-build pkg-config python3 default-libmysqlclient-dev libevent-dev libconfig-dev \
zlib1g-dev libjansson-dev libssl-dev libcurl4-openssl-dev libcmocka-dev libicu-dev libisal-dev libzstd-dev libstemmer-dev libsystemd-dev libncurses-dev"
# shellcheck disable=SC2034
PACKAGES_run="mariadb-server-core mariadb-client-core mariadb-client"
# shellcheck disable=SC2034
PACKAGES_test="git iproute2 openssl clang clang-format shellcheck mydumper pigz zstd sphinxsearch tmux zsh fish groff faketime haproxy systemd"
# shellcheck disable=SC2034
PACKAGES_fuzz="clang libclang-rt-dev"
# Packages that a release of Debian does not have; tests that need one say so and are left out there.
# shellcheck disable=SC2034
LACKS_trixie="mydumper"

# need_packages GROUP…: installs what is missing of these groups, or says how and fails.
need_packages() {
	local group package names missing=() lacks
	lacks=LACKS_$(codename)
	if ! command -v dpkg-query >/dev/null; then
		say "this is no Debian: nothing is installed; what is needed is listed in scripts/lib/packages.sh"
		return
	fi
	for group; do
		names=PACKAGES_$group
		for package in ${!names}; do
			if [[ " ${!lacks-} " == *" $package "* ]]; then continue; fi
			if ! installed "$package"; then missing+=("$package"); fi
		done
	done
	if ((${#missing[@]} == 0)); then return; fi
	local command="apt-get install --no-install-recommends --no-remove ${missing[*]}"
	if ((EUID)); then
		say "packages are missing and only root can install them. Run this, then $PROGRAM again:"
		echo "sudo $command"
		exit 1
	fi
	say "installing $(reason "$@"): ${missing[*]}"
	install_packages "${missing[@]}"
}

# The release's name as a word; empty where it has none.
codename() {
	local name
	# shellcheck disable=SC1091
	name=$(. /etc/os-release 2>/dev/null && printf '%s' "${VERSION_CODENAME-}") || :
	printf '%s\n' "${name//[^a-z]/}"
}

installed() { [[ $(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null) == installed ]]; }

reason() {
	local group words=""
	for group; do
		case $group in
		build) words+="${words:+, }compiler and libraries to build with" ;;
		run) words+="${words:+, }MariaDB's programs for private servers (no system service is started)" ;;
		test) words+="${words:+, }tools that check the source" ;;
		fuzz) words+="${words:+, }clang with its fuzzer" ;;
		esac
	done
	printf '%s\n' "$words"
}

install_packages() {
	local log
	log=$(mktemp)
	export DEBIAN_FRONTEND=noninteractive
	{ apt-get -q update && apt-get -qy install --no-install-recommends --no-remove "$@"; } >"$log" 2>&1 </dev/null || {
		tail -n 20 "$log" >&2
		die "apt-get could not install them; its whole output: $log"
	}
	rm -f "$log"
}
