# The two commands of the README on a Debian with nothing but apt, installing what is missing.
. "$here/common.sh"

two_commands() # RELEASE
{
    make_root "$1"
    say "./dev demo"
    online quietly in_root ./dev demo --set train.epochs=1 --out runs/demo
    train "$root/srv/norma/build/release" in_root build/release/norma
    online tests in_root ./dev test
}
