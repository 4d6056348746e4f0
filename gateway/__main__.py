"""`python -m gateway` is the command `dragoman`."""

from gateway.cli import main

main()
