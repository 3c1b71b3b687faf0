#!/bin/bash
# The man page and the completion say what the command says. (The completion is for bash, and so is
# this.)
. "$(dirname "$0")/claim.sh"
norma=$NORMA_BUILD/norma
page=$(sed 's/\\-/-/g; s/\\f.//g; s/"//g' "$NORMA_SOURCE/docs/norma.1")
ask completion "$norma" completion
claim_of completion "the command prints a completion" says '^complete .* norma$'
completion=$(answer completion)

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

[ -n "$completion" ] || finish # what follows asks about what it offers

commands=$(completed "")
common=$(completed version --) # a command without options of its own
for flag in $common; do
    claim "the man page tells about $flag among the options of every command" \
        "$(sed -n '/^\.SH OPTIONS OF EVERY COMMAND/,/^\.SH EXIT/p' <<<"$page" | says "$flag")"
done
claim_runs "the completion offers commands" test -n "$commands"
for command in $commands; do
    ask help "$norma" help "$command"
    claim_of help "norma help $command works" says .
    claim "the man page tells about $command" \
        "$(says "^\.B[IR]* $command\( \|\$\)" <<<"$page")"
    for flag in $(completed "$command" --); do
        claim_of help "norma help $command tells about $flag" says " $flag "
        ! grep -qxFe "$flag" <<<"$common" || continue # told once, for all
        claim "the man page tells about $command $flag" \
            "$(sed -nE "/^\.(B|BI|BR) $command( |\$)/,/^\.(RE|SH)/p" <<<"$page" | says "$flag")"
    done
done
for flag in $(sed -n 's/^\.[BI]* \(--[a-z-]*\).*/\1/p' <<<"$page" | sort -u); do
    claim_of completion "a command takes $flag, which the man page lists" says "$flag"
done
claim "gr completes to gradcheck" "$([ "$(completed gr)" = gradcheck ] || echo "to: $(completed gr)")"
claim "op batch_n completes to an op" "$(completed op batch_n | says '^batch_norm$')"
if command -v groff >/dev/null; then
    claim "the page is well-formed" \
        "$(groff -man -Tutf8 -ww "$NORMA_SOURCE/docs/norma.1" 2>&1 >/dev/null || echo "groff failed")"
fi

finish
