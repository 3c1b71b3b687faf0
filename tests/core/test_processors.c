/* Limits of control groups, in folders made here. */
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "core/processors.h"

#include "tests/test.h"

static char root[256];

/* A file below the root, with the folders that it is in. */
static void put(const char *name, const char *text)
{
    char path[512];
    snprintf(path, sizeof path, "%s/%s", root, name);
    for (char *slash = strchr(path + strlen(root) + 1, '/'); slash;
         slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        mkdir(path, 0700);
        *slash = '/';
    }
    test_write_file(path, text, strlen(text));
}

static void begin(const char *name)
{
    snprintf(root, sizeof root, "%s", test_path(name));
    mkdir(root, 0700);
}

START_TEST(without_groups_there_is_no_limit)
{
    begin("none");
    ck_assert_int_eq(nm_processors_of_groups(root), 0);
    put("proc/self/cgroup", "0::/a/b\n");
    ck_assert_int_eq(nm_processors_of_groups(root), 0); /* no such files */
    put("sys/fs/cgroup/a/b/cpu.max", "max 100000\n");
    ck_assert_int_eq(nm_processors_of_groups(root), 0);
}
END_TEST

START_TEST(a_share_of_a_processor_is_one_and_more_are_rounded_up)
{
    begin("rounded");
    put("proc/self/cgroup", "0::/\n");
    put("sys/fs/cgroup/cpu.max", "50000 100000\n");
    ck_assert_int_eq(nm_processors_of_groups(root), 1);
    put("sys/fs/cgroup/cpu.max", "200000 100000\n");
    ck_assert_int_eq(nm_processors_of_groups(root), 2);
    put("sys/fs/cgroup/cpu.max", "200001 100000\n");
    ck_assert_int_eq(nm_processors_of_groups(root), 3);
}
END_TEST

START_TEST(the_strictest_group_on_the_way_out_counts)
{
    begin("nested");
    put("proc/self/cgroup", "0::/service/norma\n");
    put("sys/fs/cgroup/service/norma/cpu.max", "800000 100000\n");
    ck_assert_int_eq(nm_processors_of_groups(root), 8);
    put("sys/fs/cgroup/service/cpu.max", "300000 100000\n");
    ck_assert_int_eq(nm_processors_of_groups(root), 3);
    put("sys/fs/cgroup/cpu.max", "600000 100000\n");
    ck_assert_int_eq(nm_processors_of_groups(root), 3);
}
END_TEST

START_TEST(a_containers_own_limit_is_found_where_its_name_is_the_one_outside)
{
    begin("container");
    put("proc/self/cgroup", "0::/machine/64ab\n");
    put("sys/fs/cgroup/cpu.max", "150000 100000\n");
    ck_assert_int_eq(nm_processors_of_groups(root), 2);
}
END_TEST

START_TEST(groups_of_the_first_version_have_files_of_their_own)
{
    begin("first");
    put("proc/self/cgroup", "5:memory:/x\n4:cpuset:/y\n3:cpu,cpuacct:/a\n1:name=systemd:/z\n");
    put("sys/fs/cgroup/cpu/y/cpu.cfs_quota_us", "100000\n");
    put("sys/fs/cgroup/cpu/y/cpu.cfs_period_us", "100000\n");
    put("sys/fs/cgroup/cpu/a/cpu.cfs_quota_us", "-1\n");
    put("sys/fs/cgroup/cpu/a/cpu.cfs_period_us", "100000\n");
    ck_assert_int_eq(nm_processors_of_groups(root), 0);
    put("sys/fs/cgroup/cpu/a/cpu.cfs_quota_us", "400000\n");
    ck_assert_int_eq(nm_processors_of_groups(root), 4);
}
END_TEST

START_TEST(what_is_no_number_is_no_limit)
{
    begin("broken");
    put("proc/self/cgroup", "nothing\n0\n:\n0::/\n2:cpu:/\n");
    put("sys/fs/cgroup/cpu.max", "many few\n");
    put("sys/fs/cgroup/cpu/cpu.cfs_quota_us", "1\n");
    put("sys/fs/cgroup/cpu/cpu.cfs_period_us", "0\n");
    ck_assert_int_eq(nm_processors_of_groups(root), 0);
    put("sys/fs/cgroup/cpu.max", "9223372036854775807 1\n");
    ck_assert_int_eq(nm_processors_of_groups(root), 0);
}
END_TEST

TEST_MAIN("core/processors", without_groups_there_is_no_limit,
          a_share_of_a_processor_is_one_and_more_are_rounded_up,
          the_strictest_group_on_the_way_out_counts,
          a_containers_own_limit_is_found_where_its_name_is_the_one_outside,
          groups_of_the_first_version_have_files_of_their_own, what_is_no_number_is_no_limit)
