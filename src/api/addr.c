// SPDX-License-Identifier: BSD-3-Clause
// Addresses as text, for applications: the public face of base/addr.h, which reads and writes the
// addresses themselves. Here stand only the port of an endpoint and the public types. Called from
// any thread, never on the data path. No name is looked up: that would block.
#include <prismnet/addr.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "api/convert.h"
#include "base/addr.h"

static_assert(PRISM_ADDR_TEXT_BYTES == ADDR_TEXT_BYTES, "one size of address text");

int prism_addr_parse(const char *text, struct prism_addr *addr)
{
	struct addr a;

	if (!addr_parse(text, &a))
		return -EINVAL;
	*addr = convert_back(&a);
	return 0;
}

const char *prism_addr_format(const struct prism_addr *addr, char text[PRISM_ADDR_TEXT_BYTES])
{
	struct addr a = convert_addr(addr);

	return addr_format(&a, text);
}

int prism_endpoint_parse(const char *text, struct prism_endpoint *endpoint)
{
	char host[PRISM_ADDR_TEXT_BYTES];
	const char *colon = strrchr(text, ':');
	struct prism_endpoint out;
	char *end;
	unsigned long port;

	if (!colon || colon == text || (size_t)(colon - text) >= sizeof(host))
		return -EINVAL;
	memcpy(host, text, (size_t)(colon - text));
	host[colon - text] = '\0';
	port = strtoul(colon + 1, &end, 10);
	if (colon[1] < '0' || colon[1] > '9' || *end != '\0' || port > UINT16_MAX)
		return -EINVAL;
	if (host[0] == '[' && host[strlen(host) - 1] == ']') {
		host[strlen(host) - 1] = '\0';
		memmove(host, host + 1, strlen(host));
	}
	if (prism_addr_parse(host, &out.addr))
		return -EINVAL;
	out.port = (uint16_t)port;
	*endpoint = out;
	return 0;
}
