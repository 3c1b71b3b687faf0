/* The program `norma`: the command with what is built in, and nothing else. */
#include "norma_command.h"

int main(int argc, char **argv)
{
    return nm_main(argc, argv, NULL);
}
