# The two commands of the README on a Debian with nothing but apt, installing what is missing.
. "$here/common.sh"

two_commands() # RELEASE
{
    make_root "$1"
    say "./dev demo"
    in_root ./dev demo --set train.epochs=1 --out runs/demo
    train in_root build/release/norma
    tests in_root ./dev test
}
