// SPDX-License-Identifier: BSD-3-Clause
// Where peers of a memif server knock: between them and the driver's own listening socket.
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/un.h>

#define DOOR_PEERS_MAX 8

#define UNIX_PATH_BYTES sizeof(((struct sockaddr_un *)0)->sun_path)

// What the driver's socket is called for the moment in which it has a name: PATH and this.
#define DOOR_INNER_SUFFIX ".in"

// One peer: his messages go to the driver, the driver's to him.
struct door_peer {
	int outer_fd; // to the peer, -1: he is gone
	int inner_fd; // to the driver, -1: a free slot
	bool spoke;
};

struct memif_door {
	int listen_fd; // -1: not open
	int inner_fd;  // what is left of the driver's socket in the file system
	char inner_path[UNIX_PATH_BYTES];
	char path[UNIX_PATH_BYTES];
	struct door_peer peer[DOOR_PEERS_MAX];
};

// After the driver made its socket: takes that one's name away and listens at path. 0 or -errno;
// what was opened is closed by memif_door_close either way.
int memif_door_open(struct memif_door *d, const char *path);

// Lets peers in and carries what is there to be carried. The interrupt thread.
void memif_door_tend(struct memif_door *d);

// Shows everybody out. True once the driver has closed its ends too. The interrupt thread.
bool memif_door_shut(struct memif_door *d);

void memif_door_close(struct memif_door *d);
