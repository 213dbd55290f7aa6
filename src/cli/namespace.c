// SPDX-License-Identifier: BSD-3-Clause
// Running without root. A tap interface needs CAP_NET_ADMIN over a network namespace; whoever
// makes a user namespace has it over the network namespaces made inside (user_namespaces(7)). So
// prism run steps into both before anything is opened. Called by run.c and doctor.c, with one
// thread only: the kernel refuses unshare(CLONE_NEWUSER) to others.

#include "cli/namespace.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <net/if.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/cli.h"
#include "control/config.h"

bool namespace_has_capability(int capability)
{
	struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
	struct __user_cap_data_struct data[2] = {0};

	if (syscall(SYS_capget, &header, data) != 0)
		return false;
	return data[capability / 32].effective >> (capability % 32) & 1;
}

bool namespace_needed(const struct config *config)
{
	if (namespace_has_capability(CAP_NET_ADMIN))
		return false;
	// A card or an existing interface is not in a new namespace: those need the real privilege.
	for (uint32_t i = 0; i < config->options.port_count; i++)
		if (strncmp(config->options.ports[i].device, "tap:", 4) == 0)
			return true;
	return false;
}

static int write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	ssize_t len = (ssize_t)strlen(text);

	if (fd < 0)
		return -errno;
	int error = write(fd, text, (size_t)len) == len ? 0 : -errno;
	close(fd);
	return error;
}

// Root inside is the user outside, and nobody else exists (user_namespaces(7), "Defining user and
// group ID mappings").
static int map_ids(uid_t uid, gid_t gid)
{
	char map[64];
	int error = write_file("/proc/self/setgroups", "deny");

	if (error)
		return error;
	snprintf(map, sizeof map, "0 %u 1", uid);
	error = write_file("/proc/self/uid_map", map);
	if (error)
		return error;
	snprintf(map, sizeof map, "0 %u 1", gid);
	return write_file("/proc/self/gid_map", map);
}

static int loopback_up(void)
{
	struct ifreq request = {.ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -errno;
	int error = ioctl(fd, SIOCSIFFLAGS, &request) == 0 ? 0 : -errno;
	close(fd);
	return error;
}

static int enter(void)
{
	uid_t uid = geteuid();
	gid_t gid = getegid();

	if (unshare(CLONE_NEWUSER | CLONE_NEWNET) != 0)
		return -errno;
	int error = map_ids(uid, gid);
	return error ? error : loopback_up();
}

int namespace_enter(void)
{
	int error = enter();

	if (!error)
		return CLI_OK;
	return cli_error(
		CLI_ENVIRONMENT,
		"a tap port needs CAP_NET_ADMIN, and this kernel does not let this user "
		"make a user namespace to have it in; in a chroot it lets nobody",
		"run it as root, or: sudo setcap cap_net_admin+ep prism, or allow it: "
		"sudo sysctl kernel.unprivileged_userns_clone=1 "
		"kernel.apparmor_restrict_unprivileged_userns=0 user.max_user_namespaces=10000",
		"cannot make a namespace to run in: %s", strerror(-error));
}

int namespace_try(void)
{
	int status;
	pid_t child = fork();

	if (child == 0)
		_exit(-enter());
	if (child < 0 || waitpid(child, &status, 0) < 0)
		return errno;
	return WIFEXITED(status) ? WEXITSTATUS(status) : EFAULT;
}
