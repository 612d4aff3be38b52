"""`python -m tapebook` is `tapebook`."""

from tapebook.cli import main

main(prog_name="tapebook")
