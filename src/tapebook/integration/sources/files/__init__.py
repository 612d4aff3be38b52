"""The source "files": CSV and Parquet of any vendor.

A file goes through text (what it says), head and headers (what its columns are), table (rows as words),
dates, clock and numbers (what the words mean), rows (each row's fate) and bars.
"""

from tapebook.integration.sources.files.source import Files

__all__ = ["Files"]
