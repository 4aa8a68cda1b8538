"""``python -m distill.cli``, where no ``distill`` is installed on the path."""

from distill.cli.main import main

if __name__ == "__main__":
    main()
