// SPDX-License-Identifier: BSD-3-Clause
// Contradictions under control: of a configuration file. Called by config_check.c. What is wrong
// with the socket or the port itself shows when they are opened (control/server.c); what other
// machines would see is asked for twice.
#include <arpa/inet.h>
#include <string.h>
#include <sys/un.h>

#include "control/config.h"

static bool is_loopback(const struct prism_addr *addr)
{
	struct in6_addr six;

	memcpy(&six, addr, sizeof six);
	return IN6_IS_ADDR_LOOPBACK(&six) || (IN6_IS_ADDR_V4MAPPED(&six) && six.s6_addr[12] == 127);
}

static void check_socket(struct config *config)
{
	const size_t most = sizeof(((struct sockaddr_un *)0)->sun_path) - 1;

	if (config->control_socket && strlen(config->control_socket) > most)
		diag_hint(diag_add(&config->diags, config_place(config, &config->control_socket),
				   "the socket's path is too long"),
			  "the kernel takes %zu characters (unix(7)); use a shorter folder", most);
}

static void check_web(struct config *config)
{
	const struct config_web *web = &config->web;
	bool given = config_place(config, &web->addr).line != 0;
	bool loopback = !given || is_loopback(&web->addr);

	if (config_refused(config, &web->port) || config_refused(config, &web->addr))
		return;
	if (!web->port && (given || web->beyond_loopback))
		diag_hint(
			diag_add(&config->diags,
				 config_place(config, given ? (const void *)&web->addr
							    : (const void *)&web->beyond_loopback),
				 "there is no http_port that this could be said of"),
			"add http_port: NUMBER under control:, or remove this line");
	else if (web->port && !web->beyond_loopback && !loopback)
		diag_hint(
			diag_add(&config->diags, config_place(config, &web->addr),
				 "whoever reaches this address could read what the instance does"),
			"use 127.0.0.1 or ::1, or say that you mean it: "
			"http_beyond_loopback: true");
	else if (web->port && web->beyond_loopback && loopback)
		diag_hint(
			diag_add(&config->diags, config_place(config, &web->beyond_loopback),
				 "nobody beyond this machine reaches a loopback address"),
			"name another http_address: (0.0.0.0 is all of IPv4), or remove this line");
}

void config_check_control(struct config *config)
{
	check_socket(config);
	check_web(config);
}
