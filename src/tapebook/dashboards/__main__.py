"""`python -m tapebook.dashboards {"root": …, "port": …}`: `tapebook dashboards` starts the server so."""

import sys

from tapebook.runs.light import light

with light():
    import jsonschema  # type: ignore[import-untyped]  # noqa: F401  (Jupyter's server imports it: two seconds less of every start)

if __name__ == "__main__":
    from tapebook.dashboards.app import main

    main(sys.argv[1:])
