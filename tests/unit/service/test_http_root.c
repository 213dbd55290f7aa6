// SPDX-License-Identifier: BSD-3-Clause
// What is served of a directory, and what refuses the start.
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/err.h"
#include "site.h"

static int setup(void **state)
{
	site_make();
	return 0;
}

static int teardown(void **state)
{
	site_remove();
	return 0;
}

static const struct http_file *find(const struct http_root *root, const char *path)
{
	return http_root_find(root, path, strlen(path));
}

static void files_are_found_by_their_path(void **state)
{
	struct http_root *root;

	assert_int_equal(site_load(1000, &root), 0);
	const struct http_file *ten = find(root, "/ten");

	assert_non_null(ten);
	assert_int_equal(ten->body_bytes, 10);
	assert_memory_equal(ten->body, "0123456789", 10);
	assert_int_equal(ten->modified_s, 784111777);
	assert_non_null(strstr(ten->head, "Content-Length: 10\r\nETag: \""));
	assert_non_null(strstr(ten->head, "Last-Modified: Sun, 06 Nov 1994 08:49:37 GMT\r\n"));
	assert_non_null(find(root, "/docs/a b.txt"));
	assert_int_equal(find(root, "/empty.css")->body_bytes, 0);
	assert_non_null(strstr(find(root, "/empty.css")->head, "text/css"));
	http_root_free(root);
}

static void a_directory_is_its_index(void **state)
{
	struct http_root *root;

	assert_int_equal(site_load(1000, &root), 0);
	assert_memory_equal(find(root, "/")->body, "<h1>hello", 9);
	assert_memory_equal(find(root, "/docs/")->body, "docs\n", 5);
	assert_int_equal(find(root, "/docs")->status, 301);
	assert_non_null(strstr(find(root, "/docs")->head, "Location: /docs/\r\n"));
	assert_null(find(root, "/empty dir/"));
	assert_null(find(root, "/empty dir"));
	http_root_free(root);
}

static void hidden_names_are_not_served(void **state)
{
	struct http_root *root;

	assert_int_equal(site_load(1000, &root), 0);
	assert_null(find(root, "/.secret"));
	assert_null(find(root, "/absent"));
	assert_null(find(root, ""));
	http_root_free(root);
}

static void equal_bytes_have_equal_tags(void **state)
{
	struct http_root *root;

	site_file("same", "0123456789");
	site_file("other", "0123456788");
	assert_int_equal(site_load(1000, &root), 0);
	assert_memory_equal(find(root, "/ten")->etag, find(root, "/same")->etag, HTTP_ETAG_BYTES);
	assert_memory_not_equal(find(root, "/ten")->etag, find(root, "/other")->etag,
				HTTP_ETAG_BYTES);
	http_root_free(root);
}

static void a_file_over_the_limit_refuses_the_start_by_name(void **state)
{
	struct http_root *root;

	assert_int_equal(site_load(14, &root), -EFBIG);
	assert_int_equal(err_last()->id, ERR_SERVICE_FILE_SIZE);
	assert_non_null(strstr(err_last()->message, "/index.html"));
}

static void a_pipe_refuses_the_start_by_name(void **state)
{
	struct http_root *root;
	char path[128];

	snprintf(path, sizeof(path), "%s/docs/pipe", site_directory);
	mkfifo(path, 0600);
	assert_int_equal(site_load(1000, &root), -EINVAL);
	assert_int_equal(err_last()->id, ERR_SERVICE_FILE_SPECIAL);
	assert_non_null(strstr(err_last()->message, "docs/pipe"));
}

static void a_link_is_followed_inside_the_root_only(void **state)
{
	struct http_root *root;
	char path[128];

	snprintf(path, sizeof(path), "%s/docs/inside", site_directory);
	assert_int_equal(symlink("../ten", path), 0);
	assert_int_equal(site_load(1000, &root), 0);
	assert_int_equal(find(root, "/docs/inside")->body_bytes, 10);
	http_root_free(root);
	free(site_region);
	site_region = NULL;
	snprintf(path, sizeof(path), "%s/docs/outside", site_directory);
	assert_int_equal(symlink("/etc/passwd", path), 0);
	assert_int_equal(site_load(1000000, &root), -EINVAL);
	assert_int_equal(err_last()->id, ERR_SERVICE_FILE_SPECIAL);
	assert_non_null(strstr(err_last()->message, "docs/outside"));
}

static void a_root_that_is_not_there_is_named(void **state)
{
	struct http_root_config config = {.directory = "/tmp/prism-absent",
					  .index = "index.html",
					  .region_alloc = site_region_alloc};
	struct http_root *root;

	assert_int_equal(http_root_load(&config, &root), -ENOENT);
	assert_non_null(strstr(err_last()->message, "/tmp/prism-absent"));
	config.directory = NULL;
	assert_int_equal(http_root_load(&config, &root), -ENOENT);
	config.directory = "/etc/passwd";
	assert_int_equal(http_root_load(&config, &root), -ENOENT);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(files_are_found_by_their_path),
		TEST(a_directory_is_its_index),
		TEST(hidden_names_are_not_served),
		TEST(equal_bytes_have_equal_tags),
		TEST(a_file_over_the_limit_refuses_the_start_by_name),
		TEST(a_pipe_refuses_the_start_by_name),
		TEST(a_link_is_followed_inside_the_root_only),
		TEST(a_root_that_is_not_there_is_named),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
