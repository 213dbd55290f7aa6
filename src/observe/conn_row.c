// SPDX-License-Identifier: BSD-3-Clause
// The fields of a connection's row, by name. Made from observe/conn.def: what shm.c describes in
// the file, and what shm_reader_conns.c looks up in it, whose version may have other fields.
// Nothing here runs.
#include "observe/conn_row.h"

const struct conn_row_field conn_row_fields[] = {
#define CONN(field_name, field_kind, field_unit, text) \
	{.name = #field_name, \
	 .kind = #field_kind, \
	 .unit = field_unit, \
	 .sentence = text, \
	 .offset = (uint32_t)offsetof(struct conn_row, field_name)},
#include "observe/conn.def"
#undef CONN
};

static_assert(ARRAY_COUNT(conn_row_fields) == CONN_ROW_FIELDS, "all but the addresses");
