#include "tests/zk/suite.h"

int main(void)
{
    return suite_run("local:", NULL, 0);
}
