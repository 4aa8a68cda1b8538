"""``python -m wsistore.cli``, where no ``wsistore`` is installed on the path."""

from wsistore.cli.main import main

if __name__ == "__main__":
    main()
