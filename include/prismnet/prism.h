// SPDX-License-Identifier: BSD-3-Clause
/// Everything at once.
#pragma once

#include <prismnet/addr.h>
#include <prismnet/buf.h>
#include <prismnet/error.h>
#include <prismnet/stack.h>
#include <prismnet/tcp.h>
#include <prismnet/types.h>
#include <prismnet/udp.h>
