"""`python -m inv3d`."""

from inv3d.cli.app import main

main()
