"""`python -m longshore.cli`: the same as `longshore`."""

from longshore.cli.main import main

main()
