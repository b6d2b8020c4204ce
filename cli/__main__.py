"""`python -m cli`: the `assay` command."""

from cli.main import main

main()
