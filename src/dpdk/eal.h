// SPDX-License-Identifier: BSD-3-Clause
// What eal.c and pool_dpdk.c owe each other.
#pragma once

// Reserves Prism's bytes of every packet head before any driver can. 0, or a negative errno with
// err_set when somebody has them already.
int pool_claim_field(void);

// Gives back all memory of pool_region_alloc.
void pool_regions_free(void);
