"""python -m tavu: the same as the command tavu."""

from tavu.cli.main import main

main()
