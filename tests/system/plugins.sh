#!/bin/bash
# Plugins, good ones and bad ones: what a good one registers works everywhere, and each bad one is refused by a
# message that says what is wrong with which, without a crash and without a trace.
. "$(dirname "$0")/claim.sh"
norma=$NORMA_BUILD/norma
sources=$NORMA_SOURCE/tests/system/plugins
cd "$temporary" || exit 1

plugin() # plugin NAME SOURCE FLAGS...: makes NAME.so, bound to the library of whoever loads it
{
    local name=$1 source=$2
    shift 2
    claim_runs "$name.so builds" ${CC:-cc} -std=c11 -Wall -Wextra -Wpedantic -Werror -Wno-unused-function \
        -Wno-unused-const-variable -Wno-unused-parameter -shared -fPIC -I"$NORMA_SOURCE" "$sources/$source" -o "$name.so" "$@"
}

# refused TEXT STATUS PATTERN COMMAND...: norma fails with that status, and says that, in one line.
refused()
{
    local text=$1 expected=$2 pattern=$3 code
    shift 3
    "$norma" "$@" >out 2>said
    code=$?
    claim "$text" "$([ $code -eq "$expected" ] || echo "status $code instead of $expected"
        says "$pattern" <said
        never_says 'Sanitizer' <said)"
}

# ---- A good one ----

plugin good good.c
ask check "$norma" gradcheck cube --plugin good.so
claim_of check "an op of a plugin passes its check" says '^cube '
ask help "$norma" help cubed --plugin good.so
claim_of help "the help has its layer, and says whose it is" says '^cubed (layer of the plugin good.so)'
awk 'BEGIN { print "x,y"; for (i = 0; i < 80; i++) print i / 40 - 1 "," (i / 40 - 1) ^ 3 }' >cubes.csv
cat >net.yaml <<'TEXT'
plugins: [good.so]
model: [op: {apply: cube}, tanh, cubed, dense: {units: 1, init: ones}]
data: {train: {csv: {path: cubes.csv}}, batch: 16, validation: 0.1}
loss: quartic
train: {epochs: 2, metric: seven, optimizer: {sgd: {rate: 0.01}}, schedule: slow}
TEXT
refused "a file alone loads no plugin" 2 \
    'net.yaml:1:11: plugins: good.so is not loaded, and a file may not load code on its own.*--plugin good.so' \
    train net.yaml --out run
claim_runs "and nothing was begun" test ! -e run
ask train "$norma" train net.yaml --out run --load-plugins
claim_of train "a file loads what it names where that is allowed" says 'seven'
ask given "$norma" train net.yaml --out given --plugin ./good.so
claim_of given "one that was given is the one that it names" says 'seven'
claim_runs "with the same bits" cmp run/best.safetensors given/best.safetensors
mkdir elsewhere
ask from_elsewhere sh -c "cd elsewhere && '$norma' check ../net.yaml --load-plugins"
claim_of from_elsewhere "its path is from the file's folder" says cubed
claim "the run's file has it from there" "$(says '^plugins: \[\.\./good\.so\]' <run/network.yaml)"
echo 'plugins: {good: 1}' | cat - <(tail -n +2 net.yaml) >map.yaml
refused "a map is no list of plugins" 2 'map.yaml:1:10: plugins: a list of paths is wanted' check map.yaml

# ---- A saved network names what it needs, and loads nothing ----

mkdir alone
cp run/best.safetensors alone
refused "a saved network without its plugin says what to do" 2 \
    'alone/best.safetensors: .*it has the op cube of the plugin good.so, which is not loaded.*--plugin FILE' \
    check alone/best.safetensors
refused "whatever files may load: it has no path" 2 'of the plugin good.so, which is not loaded' \
    check alone/best.safetensors --load-plugins
ask alone "$norma" check alone/best.safetensors --plugin good.so
claim_of alone "with it, it is whole" says 'trained with quartic'
refused "the folder of a run loads nothing on its own" 2 'network.yaml:1:11: plugins: .*good.so is not loaded' eval run
ask eval "$norma" eval run --load-plugins
claim_of eval "but where that is allowed" says 'seven'
ask samples "$norma" predict run cubes.csv --plugin good.so
claim_of samples "or where it is given" says .
strings -n 8 alone/best.safetensors >strings
claim "it names what it has of it, and no more" "$(says \
    'plugins: \[{name: ."good.so.", needs: \[."op cube.", ."layer cubed.", ."initializer ones.", ."loss quartic.", ."metric seven."\]}\]' <strings)"
cat >plain.yaml <<'TEXT'
model: [dense: {units: 1}]
data: {train: {csv: {path: cubes.csv}}, validation: 0.1}
loss: mse
train: {epochs: 1}
TEXT
ask plain "$norma" train plain.yaml --out plain --plugin good.so
claim_of plain "a network that has nothing of a plugin" says .
ask plain "$norma" check plain/best.safetensors
claim_of plain "needs none" says 'trained with mse'

# ---- Bad ones ----

refused "one that is not there" 1 'plugin none.so: it cannot be found: No such file' ops --plugin none.so
echo 'not an object' >text.so
refused "one that is no shared object" 2 'plugin text.so: it cannot be loaded: ' ops --plugin text.so
for bad in "undefined 2 it cannot be loaded: undefined symbol: nm_there_is_no_such_function" \
    "abi 2 it was built for ABI [0-9]* of Norma, the library has ABI [0-9]*; rebuild it" \
    "size 2 its nm_op has [0-9]* bytes, the library's [0-9]*: it was compiled with headers of another version" \
    "entry 2 it has no entry nm_plugin_init()" \
    "no_abi 2 it does not say for which Norma it was built; write NM_PLUGIN(init)" \
    "name 2 the op \"relu\" is registered already" \
    "silent 2 its init function failed (bad input) and did not say why" \
    "reason 2 the licence of twice has run out" \
    "standing 2 noticed, and forgotten" \
    "loss 2 cannot register the loss \"hollow\": it has no compute" \
    "kind 2 the descriptor of the metric \"twice\" has [0-9]* bytes, the library's [0-9]*"; do
    read -r name code message <<<"$bad"
    plugin "$name" bad.c "-DBAD_${name^^}"
    refused "a plugin with BAD_${name^^} is refused" "$code" "plugin $name.so: $message" ops --plugin "$name.so"
done
for bad in "shape output y: element 12 of \[6, 4\], the shape that its shape rule says, is not written" \
    "writes its computation changes the input x; no op may" \
    "vjp differentiated input 0, element [0-9]*: the gradient is .*, differences say" \
    "vjp_shape its vjp returned a gradient of shape \[\] for x \[3, 4\]" \
    "vjp_null its vjp returned NULL for x" \
    "forward it failed (input/output error) and did not say why"; do
    read -r name message <<<"$bad"
    plugin "$name" bad.c "-DBAD_${name^^}"
    refused "the check finds BAD_${name^^} and names the plugin" 1 "plugin $name.so: .*$message" \
        gradcheck twice --plugin "$name.so"
done
cp good.so copy.so
refused "the same under another name" 2 \
    "plugin copy.so: the op \"cube\" is registered already, by the plugin .*/good.so; load one of the two" \
    ops --plugin good.so --plugin copy.so
ln good.so linked.so
ask twice "$norma" gradcheck cube --plugin good.so --plugin ./good.so --plugin linked.so
claim_of twice "the very same twice does no harm" says '^cube '

# ---- From C ----

claim_runs "a program that loads plugins builds" ${CC:-cc} -std=c11 -I"$NORMA_SOURCE" "$sources/program.c" \
    -o program -L"$NORMA_BUILD" -lnorma -Wl,-rpath,"$NORMA_BUILD" ${NORMA_LINK:-}
ask program ./program ./good.so ./loss.so
claim_of program "it loads them, whatever fails" says '^fine$'

finish
