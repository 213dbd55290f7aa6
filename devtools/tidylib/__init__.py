# SPDX-License-Identifier: BSD-3-Clause
"""The rules of the house, one idea a file. devtools/tidy runs them; tests/tidy shows that each
can fail."""
