#!/bin/bash
# --bootstrap-server HOST:PORT: does the broker answer ApiVersions?
address=$2
exec 3<>"/dev/tcp/${address%:*}/${address#*:}"
printf '\0\0\0\012\0\022\0\0\0\0\0\001\377\377' >&3
[ "$(timeout 5 head -c 4 <&3 | wc -c)" = 4 ]
