#!/bin/sh
# Starts Valkey with the roles of users.acl, whose passwords come from the environment:
# VALKEY_<ROLE>_PASSWORD, in capitals, at least 16 characters. A role without one is omitted. A
# password that ends in line breaks, as one from a file may, is valid with and without them.
# Command-line arguments are passed to the server.
set -eu

here=$(dirname "$0")
conf=${VALKEY_CONF:-$here/valkey.conf}
server=${VALKEY_SERVER:-valkey-server}
acl=${VALKEY_RUN:-/run/valkey}/users.acl

fail() {
    echo "start.sh: $1" >&2
    exit 2
}

newline='
'
return_=$(printf '\r')

without_line_end() {
    text=$1
    while :; do
        case $text in
            *"$newline") text=${text%"$newline"} ;;
            *"$return_") text=${text%"$return_"} ;;
            *) break ;;
        esac
    done
    printf %s "$text"
}

digest() {
    printf %s "$1" | sha256sum | cut -d ' ' -f 1
}

# In an ACL file the server supports neither comments nor continuation lines. A digest keeps the
# password itself out of the file.
umask 077
# Not `:`, whose failing redirection ends a shell before it can say why.
true >"$acl" || fail "cannot write $acl"
roles=
grep -v '^#' "$here/users.acl" | awk '/^[ \t]/ { printf "%s", $0; next } { printf "\n%s", $0 }' |
    tr -s ' \t' ' ' | grep '^user ' >"$acl.rules"
while IFS= read -r rule; do
    name=${rule#user }
    name=${name%% *}
    variable=VALKEY_$(printf %s "$name" | tr '[:lower:]' '[:upper:]')_PASSWORD
    eval "password=\${$variable:-}"
    unset "$variable"
    if [ "$name" = default ]; then
        printf '%s\n' "$rule" >>"$acl"
    elif [ -n "$password" ]; then
        plain=$(without_line_end "$password")
        [ "${#plain}" -ge 16 ] || fail "$variable is shorter than 16 characters"
        rule="$rule #$(digest "$plain")"
        # Our processes remove the line breaks; the exporter and valkey-cli do not.
        [ "$plain" = "$password" ] || rule="$rule #$(digest "$password")"
        printf '%s\n' "$rule" >>"$acl"
        roles="$roles $name"
    fi
done <"$acl.rules"
rm "$acl.rules"
[ -n "$roles" ] || fail "no role has a password: set VALKEY_PRODUCER_PASSWORD and the others"
echo "start.sh: roles:$roles" >&2

exec "$server" "$conf" --aclfile "$acl" "$@"
