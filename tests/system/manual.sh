#!/bin/bash
# The man page and the completion say what the command says. (The completion is for bash, and so is
# this.)
. "$(dirname "$0")/claim.sh"
norma=$NORMA_BUILD/norma
page=$(sed 's/\\-/-/g; s/\\f.//g; s/"//g' "$NORMA_SOURCE/docs/norma.1")
completion=$("$norma" completion) || exit 1

# completed WORD...: what the completion offers for the last word.
completed()
{
    (
        eval "$completion"
        COMP_WORDS=(norma "$@")
        COMP_CWORD=$#
        COMPREPLY=()
        _norma
        printf '%s\n' "${COMPREPLY[@]}"
    )
}

commands=$(completed "")
claim_runs "the completion offers commands" test -n "$commands"
for command in $commands; do
    claim_runs "norma help $command works" "$norma" help "$command"
    claim "the man page tells about $command" \
        "$(grep -qE "^\.(B|BI|BR) $command( |\$)" <<<"$page" || echo "no heading for $command")"
    for flag in $(completed "$command" --); do
        claim "norma help $command tells about $flag" \
            "$("$norma" help "$command" | grep -qe " $flag " || echo "not there")"
        claim "the man page tells about $command $flag" \
            "$(sed -nE "/^\.(B|BI|BR) $command( |\$)/,/^\.(RE|SH)/p" <<<"$page" | grep -qe "$flag" ||
                echo "not there")"
    done
done
for flag in $(sed -n 's/^\.[BI]* \(--[a-z-]*\).*/\1/p' <<<"$page" | sort -u); do
    claim "a command takes $flag, which the man page lists" \
        "$(grep -qe "$flag" <<<"$completion" || echo "none")"
done
claim "gr completes to gradcheck" "$([ "$(completed gr)" = gradcheck ] || completed gr)"
claim "op batch_n completes to an op" "$(completed op batch_n | grep -q '^batch_norm$' || echo "it does not")"
claim "the page is well-formed" "$(command -v groff >/dev/null &&
    groff -man -Tutf8 -ww "$NORMA_SOURCE/docs/norma.1" 2>&1 >/dev/null)"

finish
