// SPDX-License-Identifier: BSD-3-Clause
// The configuration file: bad ones against the exact text a user reads (bad/NAME.yaml and
// bad/NAME.txt; PRISM_GOLDEN_WRITE=1 writes the texts anew, for git diff to show), good ones
// against what they come to.

#include "control/config.h"

#include <dirent.h>
#include <errno.h>
#include <libgen.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <prismnet/prism.h>
#include <cmocka.h>

#include "base/err.h"
#include "base/time.h"
#include "control/config_print.h"
#include "control/config_value.h"
#include "control/schema.h"
#include "core/start.h"

static char scratch[] = "/tmp/prism-config-XXXXXX";

static char *read_file(const char *path)
{
	FILE *file = fopen(path, "r");
	char *text = calloc(1, 1 << 16);

	if (file) {
		assert_true(fread(text, 1, (1 << 16) - 1, file) < (1 << 16) - 1);
		fclose(file);
	}
	return text;
}

static void write_file(const char *path, const char *text)
{
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	fputs(text, file);
	fclose(file);
}

static char *messages_of(const char *path)
{
	struct config *config = config_load(path);
	char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);

	diags_print(&config->diags, out, false);
	fclose(out);
	config_free(config);
	return text;
}

static struct config *load_text(const char *yaml)
{
	char path[64];

	snprintf(path, sizeof path, "%s/file.yaml", scratch);
	write_file(path, yaml);
	return config_load(path);
}

static int is_yaml(const struct dirent *entry)
{
	const char *dot = strrchr(entry->d_name, '.');

	return dot && strcmp(dot, ".yaml") == 0;
}

static void every_bad_file_gets_its_exact_messages(void **state)
{
	struct dirent **entries;
	int count = scandir("bad", &entries, is_yaml, alphasort);

	assert_true(count >= 40);
	for (int i = 0; i < count; i++) {
		char yaml[300], txt[300];

		snprintf(yaml, sizeof yaml, "bad/%s", entries[i]->d_name);
		snprintf(txt, sizeof txt, "bad/%.*s.txt", (int)strlen(entries[i]->d_name) - 5,
			 entries[i]->d_name);
		char *found = messages_of(yaml);
		if (getenv("PRISM_GOLDEN_WRITE"))
			write_file(txt, found);
		char *expected = read_file(txt);
		assert_string_not_equal(found, "");
		assert_string_equal(found, expected);
		free(found);
		free(expected);
		free(entries[i]);
	}
	free(entries);
}

static void an_unreadable_file_is_one_finding(void **state)
{
	char *found = messages_of("bad/no-such-file.yaml");

	assert_string_equal(found,
			    "bad/no-such-file.yaml: error: cannot be read: No such file or "
			    "directory\n  help: prism config init > FILE writes a commented one to "
			    "start from\n");
	free(found);
}

static void values_arrive_in_their_units(void **state)
{
	struct config *config = load_text(
		"instance: t\nworkers: [3]\nidle: poll\n"
		"ports:\n  - {name: a, device: 'tap:x', addresses: [198.18.0.2/24, 198.18.0.3/24],"
		" gateway: 198.18.0.1, mtu: 9000, vlan: 7, queue: 512,"
		" allow_default_route_device: true, router_advertisements: on, dhcp: true}\n"
		"routes: [{to: 0.0.0.0/0, via: 198.18.0.9}]\n"
		"services:\n  - {type: discard, port: 9, address: 198.18.0.3}\n"
		"limits: {connections: 1000}\n"
		"tcp: {send_buffer: 1GiB, delayed_ack: 500ms, keepalive: 2min, rto_min: 3s,"
		" user_timeout: 30s,"
		" ecn: on, pacing: on, congestion_control: none, fixed_window: 8MiB}\n"
		"memory: {mode: plain, size: 2GiB}\n");
	const struct prism_options *o = &config->options;
	char text[PRISM_ADDR_TEXT_BYTES];

	assert_int_equal(config->diags.count, 0);
	assert_string_equal(o->instance, "t");
	assert_int_equal(o->core, 3);
	assert_int_equal(config->idle, IDLE_POLL);
	assert_int_equal(o->port_count, 1);
	assert_int_equal(o->ports[0].address_count, 2);
	assert_string_equal(prism_addr_format(&o->ports[0].addresses[1].addr, text), "198.18.0.3");
	assert_int_equal(o->ports[0].addresses[1].len, 24);
	assert_string_equal(prism_addr_format(&o->ports[0].gateway, text), "198.18.0.1");
	assert_int_equal(o->ports[0].mtu_bytes, 9000);
	assert_int_equal(o->ports[0].vlan_id, 7);
	assert_int_equal(o->ports[0].queue_pkts, 512);
	assert_true(o->ports[0].allow_default_route_device);
	assert_int_equal(o->ports[0].router_advertisements, PRISM_RA_ON);
	assert_true(o->ports[0].dhcp);
	assert_int_equal(o->routes[0].prefix.len, 0);
	assert_string_equal(prism_addr_format(&o->routes[0].via, text), "198.18.0.9");
	assert_int_equal(config->service_count, 1);
	assert_string_equal(config->services[0].type, "discard");
	assert_int_equal(config->services[0].listen.port, 9);
	assert_int_equal(o->connections_max, 1000);
	assert_int_equal(o->send_bytes_max, 1 << 30);
	assert_int_equal(o->delayed_ack_ns, 500 * NS_PER_MS);
	assert_int_equal(o->keepalive_ns, 120 * NS_PER_S);
	assert_int_equal(o->rto_ns_min, 3 * NS_PER_S);
	assert_int_equal(o->user_timeout_ns, 30 * NS_PER_S);
	assert_int_equal(o->congestion, PRISM_CONGESTION_NONE);
	assert_int_equal(o->ecn, PRISM_ECN_ON);
	assert_int_equal(o->pacing, 1);
	assert_int_equal(o->fixed_window_bytes, 8 << 20);
	assert_int_equal(o->memory, PRISM_MEMORY_PLAIN);
	assert_int_equal(o->memory_mib, 2048);
	config_free(config);
}

// The table's fallbacks are written down twice, here and where the engine fills in zeros.
static void defaults_are_those_of_the_engine(void **state)
{
	struct config *config = load_text("ports: [{name: a, device: 'tap:x'}]\n");
	struct prism_options zero, filled;

	PRISM_OPTIONS_INIT(&zero);
	zero.port_count = 1;
	zero.ports[0] = config->options.ports[0];
	options_fill(&filled, &zero);
	assert_int_equal(config->diags.count, 0);
	assert_string_equal(config->options.instance, filled.instance);
	assert_int_equal(config->options.connections_max, filled.connections_max);
	assert_int_equal(config->options.half_open_max, filled.half_open_max);
	assert_int_equal(config->options.time_wait_max, 0); // follows from connections
	assert_int_equal(filled.time_wait_max, filled.connections_max);
	assert_int_equal(config->options.listeners_max, filled.listeners_max);
	assert_int_equal(config->options.udp_max, filled.udp_max);
	assert_int_equal(config->options.buffers, filled.buffers);
	assert_int_equal(config->options.timers_max, filled.timers_max);
	assert_int_equal(config->options.send_bytes_max, filled.send_bytes_max);
	assert_int_equal(config->options.receive_bytes_max, filled.receive_bytes_max);
	assert_int_equal(config->options.time_wait_ns, filled.time_wait_ns);
	assert_int_equal(config->options.keepalive_ns, filled.keepalive_ns);
	assert_int_equal(config->options.user_timeout_ns, filled.user_timeout_ns);
	assert_int_equal(config->options.delayed_ack_ns, filled.delayed_ack_ns);
	assert_int_equal(config->options.rto_ns_min, filled.rto_ns_min);
	assert_int_equal(config->options.congestion, filled.congestion);
	assert_int_equal(config->options.ecn, filled.ecn);
	assert_int_equal(config->options.pacing, filled.pacing);
	assert_int_equal(config->options.fixed_window_bytes, filled.fixed_window_bytes);
	assert_int_equal(config->options.memory, filled.memory);
	assert_int_equal(config->options.core, filled.core);
	config_free(config);
}

static char *printed(void (*print)(FILE *))
{
	char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);

	print(out);
	fclose(out);
	return text;
}

static void the_sample_checks(void **state)
{
	char *sample = printed(config_print_sample);
	struct config *config = load_text(sample);

	assert_int_equal(config->diags.count, 0);
	assert_int_equal(config->options.port_count, 1);
	assert_int_equal(config->service_count, 1);
	config_free(config);
	free(sample);
}

// With every # of a key removed the sample sets everything, so no example in the table is wrong.
static void the_sample_checks_with_every_key_set(void **state)
{
	char *sample = printed(config_print_sample), *to = sample;
	bool comment = false;

	// An uncommented key is "#", then no space and not "  tap:..." of the list of devices.
	for (const char *line = sample; *line; line += strcspn(line, "\n") + 1) {
		size_t len = strcspn(line, "\n") + 1;

		comment = line[0] == '#' && (line[1] == ' ' && line[2] != ' ');
		comment |= strncmp(line, "#   ", 4) == 0 && line[4] != ' ';
		if (comment || strstr(line, "(http)") < line + len)
			if (comment || strstr(line, "(http)"))
				continue;
		if (line[0] == '#') {
			line++;
			len--;
		}
		memmove(to, line, len);
		to += len;
	}
	*to = '\0';
	struct config *config = load_text(sample);
	diags_print(&config->diags, stderr, false);
	assert_int_equal(config->diags.count, 0);
	assert_int_equal(config->options.route_count, 1);
	assert_int_equal(config->options.ports[0].vlan_id, 100);
	config_free(config);
	free(sample);
}

static void effective_values_read_back_as_the_same(void **state)
{
	struct config *config = load_text("ports:\n  - {name: a, device: 'tap:x', addresses: "
					  "[198.18.0.2/24]}\ntcp: {keepalive: 75s}\n");
	char *first = NULL, *second = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&first, &len);

	config_print_effective(config, out);
	fclose(out);
	config_free(config);
	config = load_text(first);
	assert_int_equal(config->diags.count, 0);
	assert_int_equal(config->options.keepalive_ns, 75 * NS_PER_S);
	assert_non_null(strstr(first, "keepalive: 75s"));
	assert_non_null(strstr(first, "file.yaml:3"));
	assert_non_null(strstr(first, "# default"));
	out = open_memstream(&second, &len);
	config_print_effective(config, out);
	fclose(out);
	// The values are the same; only the places differ.
	assert_int_equal(config_place(config, &config->options.buffers).line > 0, 1);
	config_free(config);
	free(first);
	free(second);
}

static void paths_count_from_the_files_folder(void **state)
{
	char expected[64];
	struct config *config = load_text("ports: [{name: a, device: 'tap:x'}]\n"
					  "control: {socket: c.sock}\n");

	snprintf(expected, sizeof expected, "%s/c.sock", scratch);
	assert_string_equal(config->control_socket, expected);
	config_free(config);
}

static void a_port_for_the_web_stays_on_loopback_unless_one_says_so(void **state)
{
	static const char *const fine[] = {
		"http_port: 9464", "http_port: 9464, http_address: ::1",
		"http_port: 9464, http_address: 127.8.0.1",
		"http_address: 10.0.0.1, http_port: 9464, http_beyond_loopback: true"};
	char text[160];

	for (size_t i = 0; i < sizeof fine / sizeof fine[0]; i++) {
		snprintf(text, sizeof text, "ports: [{name: a, device: 'tap:x'}]\ncontrol: {%s}\n",
			 fine[i]);
		struct config *config = load_text(text);

		assert_int_equal(config->diags.count, 0);
		assert_int_equal(config->web.port, 9464);
		assert_int_equal(config->web.beyond_loopback, i == 3);
		config_free(config);
	}
}

static void the_library_loads_and_names_the_first_finding(void **state)
{
	struct prism_options options;
	char path[64];

	snprintf(path, sizeof path, "%s/file.yaml", scratch);
	write_file(path, "ports: [{name: a, device: 'tap:x'}]\ntcp: {time_wait: 1s}\n");
	PRISM_OPTIONS_INIT(&options);
	options.seed = 42;
	assert_int_equal(prism_options_load(&options, path), 0);
	assert_int_equal(options.time_wait_ns, NS_PER_S);
	assert_int_equal(options.seed, 42);
	assert_int_equal(prism_options_load(&options, path), 0); // again, without a leak
	prism_options_free(&options);
	assert_null(options.loaded);
	write_file(path, "portz: []\n");
	assert_int_equal(prism_options_load(&options, path), -EINVAL);
	assert_int_equal(err_last()->id, ERR_CONFIG_INVALID);
	assert_non_null(strstr(err_last()->message, "file.yaml:1:1: unknown key `portz`; did you "
						    "mean `ports`?"));
	assert_int_equal(prism_options_load(&options, "/no/such/file"), -ENOENT);
	assert_int_equal(err_last()->id, ERR_CONFIG_UNREADABLE);
}

static void the_schema_is_json_with_every_key(void **state)
{
	char *schema = printed(config_print_schema), quoted[80];

	for (uint32_t s = 0; s < schema_section_count; s++) {
		const struct schema_section *section = &schema_sections[s];

		for (uint32_t i = 0; i < section->field_count; i++) {
			snprintf(quoted, sizeof quoted, "\"%s\": {", section->fields[i].key);
			assert_non_null(strstr(schema, quoted));
		}
	}
	free(schema);
}

static int begin(void **state)
{
	char here[] = __FILE__;

	return chdir(dirname(here)) || !mkdtemp(scratch);
}

static int end(void **state)
{
	char path[64];

	snprintf(path, sizeof path, "%s/file.yaml", scratch);
	unlink(path);
	return rmdir(scratch);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_bad_file_gets_its_exact_messages),
		cmocka_unit_test(an_unreadable_file_is_one_finding),
		cmocka_unit_test(values_arrive_in_their_units),
		cmocka_unit_test(defaults_are_those_of_the_engine),
		cmocka_unit_test(the_sample_checks),
		cmocka_unit_test(the_sample_checks_with_every_key_set),
		cmocka_unit_test(effective_values_read_back_as_the_same),
		cmocka_unit_test(paths_count_from_the_files_folder),
		cmocka_unit_test(a_port_for_the_web_stays_on_loopback_unless_one_says_so),
		cmocka_unit_test(the_library_loads_and_names_the_first_finding),
		cmocka_unit_test(the_schema_is_json_with_every_key),
	};

	return cmocka_run_group_tests(tests, begin, end);
}
